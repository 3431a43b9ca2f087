"""``python -m tests.gate.versions``: fast tests on the lowest and the newest versions that pyproject.toml allows, on every
Python that is here. The newest change from day to day, so this is no part of the gate.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import surroundings
from tests.gate.steps import STEPS

PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
ROOT = Path(__file__).parents[2]


def main() -> int:
    """Exit 1 when tests fail anywhere, or an environment cannot be had."""
    results: dict[str, bool] = {}
    with tempfile.TemporaryDirectory(prefix="orchctl-versions-") as folder:
        uv = _uv(Path(folder) / "uv")
        for python in filter(None, map(_path, PYTHONS)):
            for name, resolution in RESOLUTIONS.items():
                where = Path(folder) / f"{Path(python).name}-{name}"
                title = f"{Path(python).name}, {name} versions"
                print(f"\n=== {title}", flush=True)
                results[title] = _installed(uv, python, resolution, where) and _tested(where)
    print()
    for title, is_good in results.items():
        print(f"  {title:<36}{'ok' if is_good else 'RED'}")
    return 0 if results and all(results.values()) else 1


def _path(python: str) -> str | None:
    """Of a Python that runs: version managers put placeholders for those that are not installed."""
    found = shutil.which(python)
    works = found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    return found if works else None


def _uv(folder: Path) -> Path:
    """The one of the lock file, which knows how to take the lowest version of everything."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    locked = ["--require-hashes", "-r", str(ROOT / "requirements" / "lock.txt")]
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", *locked], check=True)
    return folder / "bin/uv"


def _installed(uv: Path, python: str, resolution: str, where: Path) -> bool:
    subprocess.run([uv, "venv", "--quiet", "--seed", "--python", python, where], check=True)
    command = [uv, "pip", "install", "--quiet", "--python", where / "bin/python", "--resolution", resolution]
    done = subprocess.run([*command, "-e", f"{ROOT}[dev]"], env=surroundings.outside(), check=False)
    return done.returncode == 0


def _tested(where: Path) -> bool:
    marker = next(step.marker for step in STEPS if step.name == "fast")
    command = [where / "bin/python", "-m", "pytest", "-q", "-n", "2", "-m", marker]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
