"""The wrapper around every process: parent death, and what it says when it cannot start the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchctl_local import launcher
from tests.servers.waiting import until

LAUNCH = [sys.executable, "-I", "-S", launcher.__file__, "instance"]

# Starts the launcher as supervisord would, notes its own and the child's id, and waits to be killed.
PARENT = """
import os, signal, subprocess, sys
open("daemon.lock", "w").write(str(os.getpid()))
child = subprocess.Popen(sys.argv[1:])
open("child.tmp", "w").write(str(child.pid))
os.rename("child.tmp", "child")
signal.pause()
"""


def is_alive(pid: int) -> bool:
    """Zombies, which nobody reaps in some containers, count as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    (tmp_path / "instance").mkdir()
    (tmp_path / "daemon.lock").write_text(str(os.getpid()))
    return tmp_path / "instance"


def prepare(instance: Path, *command: str, **environment: str) -> None:
    launch = {"command": command, "environment": environment, "directory": str(instance)}
    (instance / "launch.json").write_text(json.dumps(launch))


def run(instance: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(LAUNCH, cwd=instance.parent, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
def test_a_process_dies_when_its_supervisor_is_killed(instance: Path) -> None:
    prepare(instance, "/bin/sleep", "60")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *LAUNCH], cwd=instance.parent)
    try:
        until("the child", (instance.parent / "child").exists)
        child = int((instance.parent / "child").read_text())
        until("its command", lambda: b"/bin/sleep" in Path(f"/proc/{child}/cmdline").read_bytes())
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until("its end", lambda: not is_alive(child))


def test_a_process_whose_supervisor_is_already_gone_does_not_start(instance: Path) -> None:
    (instance.parent / "daemon.lock").write_text("1")
    prepare(instance, "/bin/sh", "-c", "touch started")
    assert run(instance).returncode == 0
    assert not (instance / "started").exists()


def test_the_process_gets_its_environment_and_nothing_else(instance: Path) -> None:
    prepare(
        instance, sys.executable, "-S", "-c", "import os, sys; sys.stdout.write(str(sorted(os.environ)))", GREETING="hi"
    )
    names = run(instance).stdout
    assert "'GREETING'" in names
    assert "'HOME'" not in names


def test_the_beginning_of_the_command_is_noted(instance: Path) -> None:
    prepare(instance, "/bin/cat", "launched", PATH="/bin")
    before = time.monotonic_ns() // 1_000_000
    assert before <= int(run(instance).stdout) <= time.monotonic_ns() // 1_000_000


def test_standard_input_is_empty(instance: Path) -> None:
    prepare(instance, "/bin/cat")
    assert run(instance).returncode == 0


def test_a_missing_executable_is_noted(instance: Path) -> None:
    prepare(instance, "no-such-program", PATH="/bin")
    done = run(instance)
    assert (done.returncode, done.stderr) == (127, "orchctl: executable not found: no-such-program\n")
    noted = json.loads((instance / "launch-failed.json").read_text())
    assert noted == {"message": "executable not found: no-such-program", "code": 127}


def test_a_file_without_execute_permission_is_noted(instance: Path) -> None:
    (instance / "plain").write_text("")
    prepare(instance, str(instance / "plain"))
    assert run(instance).returncode == 126
    assert "Permission denied" in json.loads((instance / "launch-failed.json").read_text())["message"]
