"""``orchctl __complete`` and the notes of other commands as processes, on machines that are not as they should be."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


def run(directory: Path, *words: str, limit: Callable[[], None] | None = None, **environment: str) -> str:
    """What the program says, in a process of its own without any ORCHCTL_ variable; it must end well and quietly."""
    hidden = {k: v for k, v in os.environ.items() if not k.startswith(("ORCHCTL_", "XDG_")) and k != "HOME"}
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-m", "orchctl", *words],
        cwd=directory,
        env={**hidden, "PYTHONPATH": paths, "XDG_STATE_HOME": str(directory / "state"), **environment},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.replace("no services in namespace default of context local\n", "")) == (0, "")
    return done.stdout


def _no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_a_full_disk_is_no_failure_and_leaves_nothing(tmp_path: Path) -> None:
    run(tmp_path, "status", limit=_no_room, HOME=str(tmp_path))
    assert [path for path in (tmp_path / ".cache").rglob("*") if path.is_file()] == []
    run(tmp_path, "status", HOME=str(tmp_path))
    assert run(tmp_path, "__complete", "contexts", HOME=str(tmp_path)) == "local\n"


def test_a_home_without_a_place_for_it_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file")
    homes: list[Mapping[str, str]] = [{"HOME": str(tmp_path)}, {"HOME": "/proc/nowhere"}, {"HOME": "relative"}, {}]
    for home in homes:
        run(tmp_path, "status", **home)
        assert run(tmp_path, "__complete", "contexts", **home) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work in the home of somebody else")
def test_root_makes_nothing_in_the_home_of_a_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 12345, 12345)
    run(tmp_path, "status", HOME=str(home))
    assert list(home.iterdir()) == []


def test_the_program_answers_with_nothing_but_sys_and_os(tmp_path: Path) -> None:
    run(tmp_path, "status", HOME=str(tmp_path))
    code = (
        "import sys, atexit; before = {*sys.modules}\n"
        "atexit.register(lambda: print(*sorted({*sys.modules} - before), file=sys.stderr))\n"
        "sys.argv = ['orchctl', '__complete', 'contexts']\n"
        "from orchctl.boot import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "local\n"
    assert set(done.stderr.split()) <= {
        "__future__",
        "orchctl",
        "orchctl.boot",
        "orchctl.cli",
        "orchctl.cli.names_cache",
    }


@pytest.mark.parametrize("words", [[], ["nonsense"], ["services"], ["services", "status", "--context"], ["\udcff", ""]])
def test_whatever_is_asked_it_answers_quietly(tmp_path: Path, words: list[str]) -> None:
    assert run(tmp_path, "__complete", *words, HOME=str(tmp_path)) == ""


def test_nobody_reading_is_no_failure(tmp_path: Path) -> None:
    run(tmp_path, "status", HOME=str(tmp_path))
    script = f"{sys.executable} -m orchctl __complete contexts >&-; exec {sys.executable} -m orchctl __complete contexts >/dev/full"
    done = subprocess.run(
        ["sh", "-ec", script],
        env={"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
