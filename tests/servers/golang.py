"""Go builds programs that no registry offers as packages which run here; the module proxy has their sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests import surroundings
from tests.servers.packages import Unavailable

OLDEST = (1, 24)
"""What the modules of Kubernetes 1.34 and Consul 1.20 ask for."""
_SECONDS = 3600


def go(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Unavailable without a toolchain that is new enough; RuntimeError with the last lines when the build fails."""
    done = subprocess.run(
        ["nice", "-n", "5", toolchain(), *words],
        cwd=folder,
        env=surroundings.outside() | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"} | environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"go {words[0]} failed in {folder}:\n" + "\n".join(done.stderr.splitlines()[-15:]))


def toolchain() -> str:
    """The program ``go``; Unavailable when there is none, or an old one."""
    program = shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin:/usr/lib/go/bin")
    if not program:
        raise Unavailable("no Go toolchain to build it with (go not found)")
    said = _said(program, "GOVERSION")
    numbers = re.match(r"go(\d+)\.(\d+)", said)
    if not numbers or (int(numbers[1]), int(numbers[2])) < OLDEST:
        raise Unavailable(f"it is built with Go {OLDEST[0]}.{OLDEST[1]} or newer, not {said}")
    return program


def usual_cache() -> str:
    """Where this user's Go keeps what it has compiled, as it says itself."""
    return _said(toolchain(), "GOCACHE")


def _said(program: str, variable: str) -> str:
    command, environment = [program, "env", variable], surroundings.outside()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()


def build_cache(usual: str, otherwise: Path) -> str:
    """Go's own where it may be written to: it is warm, and it is the user's to clean."""
    path = Path(usual)
    if not path.is_absolute():
        return str(otherwise)
    there = next(p for p in (path, *path.parents) if p.exists())
    return usual if there.is_dir() and os.access(there, os.W_OK) else str(otherwise)
