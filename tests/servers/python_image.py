"""The image of the Containerfile, built on a base that is made here: no registry is asked, and pip finds its wheels in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import surroundings
from tests.servers.built import built
from tests.servers.packages import Unavailable, need
from tests.servers.pinned import LOCK, pins

ROOT = Path(__file__).parents[2]
_PYTHON = Path("/usr/bin/python3")  # Debian's: what it needs stands at the same paths in the base
_WHEELS = Path("/usr/share/python-wheels")
_OLDEST_MINOR = 11
_APPLETS = ("sh", "mkdir", "chown", "chmod", "env", "cat", "id", "touch")
_BASE = "localhost/orchctl-test-base"


class Images:
    """A store of its own in ``directory``; gone with it."""

    def __init__(self, directory: Path) -> None:
        need("buildah", "busybox")
        self._directory = directory
        self._store = ["--root", f"{directory}/images", "--runroot", f"{directory}/run", "--storage-driver", "overlay"]

    def buildah(self, command: str, *words: str) -> str:
        done = subprocess.run(
            ["buildah", *self._store, command, *words], capture_output=True, text=True, timeout=400, check=False
        )
        assert done.returncode == 0, f"buildah {command} {words}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def build(self, tag: str) -> None:
        """The image of this tree. Unavailable where there is no Python of the system, or its wheels cannot be had."""
        self._base()
        wheels = _wheels()
        (self._directory / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        offline = ["--pull-never", "--isolation", "chroot"]
        mounts = ["-v", f"{wheels}:/wheels:ro", "-v", f"{self._directory}/pip.conf:/etc/pip.conf:ro"]
        file = ["-f", str(ROOT / "Containerfile"), "--ignorefile", str(ROOT / ".containerignore")]
        self.buildah("bud", *offline, *mounts, *file, "--build-arg", f"BASE={_BASE}", "-t", tag, str(ROOT))

    def configuration(self, tag: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", tag))["OCIv1"]["config"]
        return found

    def _base(self) -> None:
        tree = self._directory / "base"
        for path in _files():
            target = tree / path.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        for folder in ("bin", "tmp", "etc", "proc", "dev"):
            (tree / folder).mkdir(exist_ok=True)
        (tree / "usr/bin/python3").symlink_to(_PYTHON.resolve().name)
        shutil.copy2(shutil.which("busybox") or "busybox", tree / "bin" / "busybox")
        for applet in _APPLETS:
            (tree / "bin" / applet).symlink_to("busybox")
        container = self.buildah("from", "scratch")
        self.buildah("copy", container, str(tree), "/")
        self.buildah("commit", "--rm", container, _BASE)


def _files() -> Iterator[Path]:
    """The interpreter, its library without tests, the wheels that venv installs, and the shared objects of them all."""
    if not _PYTHON.exists() or not _WHEELS.exists():
        raise Unavailable("no Python of the system with its wheels for venv (Debian: python3-venv)")
    program = _PYTHON.resolve()
    if int(program.name.rpartition(".")[2]) < _OLDEST_MINOR:
        raise Unavailable(f"the system has {program.name} only")
    library = [
        p
        for p in Path("/usr/lib", program.name).rglob("*")
        if p.is_file() and not {"__pycache__", "test", "idlelib", "dist-packages"} & {*p.parts}
    ]
    objects = [program, *(p for p in library if p.suffix == ".so")]
    needed = re.findall(r"(/\S+\.so\S*) \(0x", _said("ldd", *map(str, objects)))
    # Wheels count on these (PEP 600) and bring none of them.
    for library_name in ("libgcc_s", "librt", "libdl", "libpthread", "libm"):
        needed += re.findall(rf"{library_name}\.so\.\d .*=> (\S+)", _said("ldconfig", "-p"))[:1]
    yield from {*library, *_WHEELS.iterdir(), program, *map(Path, needed)}


def _said(*command: str) -> str:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"PATH": path}
    ).stdout


def _wheels() -> Path:
    """What the image is installed from; fetched once for a lock file."""
    asked = "".join(path.read_text("utf-8") for path in (LOCK, ROOT / "pyproject.toml")) + _version()
    digest = hashlib.sha256(asked.encode()).hexdigest()[:16]
    return built(f"wheels-{digest}", "wheels", _fetch_wheels, "the folder of wheels that the image is installed from")


def _version() -> str:
    return _PYTHON.resolve().name.removeprefix("python")


def _fetch_wheels(target: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"),
            *("--python-version", _version(), "--dest", str(target), *wanted),
            f"--constraint={pins(target.parent)}",
        ],
        env=surroundings.outside(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"the libraries cannot be fetched: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
