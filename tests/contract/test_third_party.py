"""A backend built as a wheel of its own, installed, found by its entry point, and proven by the kit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tests" / "third_party"


def run(*command: str, cwd: Path, path: Path | None = None) -> str:
    environ = dict(os.environ)
    if path is not None:
        environ["PYTHONPATH"] = os.pathsep.join([str(path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environ, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_strangers_wheel_is_found_and_passes_the_kit(tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__"))
    run(
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        ".",
        cwd=tmp_path / "source",
    )
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    run("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(site), str(wheel), cwd=tmp_path)
    known = run("-c", "from orchctl.core import registry; print(registry.known_names())", cwd=tmp_path, path=site)
    assert "memo" in known
    shutil.copy(SOURCE / "kit.py", tmp_path / "test_kit.py")
    output = run(
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "test_kit.py",
        cwd=tmp_path,
        path=site,
    )
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None
    assert int(passed[1]) > 100
