"""orchctl as process 1 of a PID namespace, as in a container: real program, real signals, real orphans."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.children import LONGEST_S, limited, with_default_signals
from tests.cli.harness import WEB
from tests.pace import promised
from tests.servers.waiting import until

ROOT = Path(__file__).parents[2]
NEVER = WEB + "backends: {fake: {behaviour: never_ready}}\n"


_IN_A_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def _cannot() -> str:
    if sys.platform != "linux" or not shutil.which("unshare"):
        return "needs Linux and unshare"
    tried = subprocess.run([*_IN_A_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    return f"a PID namespace cannot be made here: {tried.stderr.strip()}" if tried.returncode else ""


pytestmark = pytest.mark.skipif(bool(_cannot()), reason=_cannot())


class Container:
    """A program that is process 1 of its own PID namespace."""

    def __init__(self, directory: Path, *arguments: str, program: str = "tests.cli.fake_program") -> None:
        own = {"ORCHCTL_STATE_DIR": f"{directory}/state", "XDG_CONFIG_HOME": f"{directory}/config"}
        path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])}
        foreign = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "ORCHCTL_CONTEXT")
        self.process = subprocess.Popen(
            [*_IN_A_NAMESPACE, sys.executable, "-m", program, *arguments],
            cwd=directory,
            env={k: v for k, v in os.environ.items() if k not in foreign} | own | path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=with_default_signals,
        )
        self.said = ""

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        with limited(self.process):
            for line in self.process.stdout:
                self.said += line
                if text in line:
                    return
        raise AssertionError(f"it ended without {text!r}: {self.said}")

    @property
    def first(self) -> int:
        """Its process 1, by the number that it has for us."""
        [pid] = children(self.process.pid)
        return pid

    def end(self) -> int:
        out, _ = self.process.communicate(timeout=LONGEST_S)
        self.said += out
        return self.process.returncode


def children(pid: int) -> list[int]:
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


Start = Callable[..., Container]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Container] = []
    (tmp_path / ".git").mkdir()
    (tmp_path / ".orchctl.toml").write_text('default = "t"\n[contexts.t]\nbackend = "fake"\n')

    def run(*arguments: str, spec: str = NEVER, program: str = "tests.cli.fake_program") -> Container:
        (tmp_path / "orch.yaml").write_text(spec)
        started.append(Container(tmp_path, *arguments, program=program))
        return started[-1]

    yield run
    for one in started:
        if one.process.poll() is None:
            one.process.kill()  # and with it its child, and with that first process everything in the namespace
            one.process.wait()


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_a_stop_reaches_the_deploy_which_ends_in_order(start: Start, signum: int, code: int) -> None:
    container = start("deploy")
    container.read_until("web.1 starting")
    with promised(5):
        os.kill(container.first, signum)
        assert container.end() == code
    assert "error[E1200]: interrupted; what was sent goes on without orchctl" in container.said


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_a_stop_ends_verbs_that_have_no_handler_of_their_own(start: Start, signum: int, code: int) -> None:
    """For process 1 the kernel ignores what has no handler."""
    container = start("status", "--watch", "--interval", "1h")
    container.read_until("no services")
    os.kill(container.first, signum)
    assert container.end() == code


def test_ctrl_c_in_a_terminal_is_one_signal(start: Start, tmp_path: Path) -> None:
    """A second one would end the deploy at once instead of in order."""
    (tmp_path / "orch.yaml").write_text(NEVER)
    environment = {"ORCHCTL_STATE_DIR": f"{tmp_path}/state", "XDG_CONFIG_HOME": f"{tmp_path}/config", "TERM": "xterm"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    command = [*_IN_A_NAMESPACE, sys.executable, "-m", "tests.cli.fake_program", "deploy", "--progress", "plain"]
    child = pexpect.spawn(
        command[0],
        command[1:],
        cwd=str(tmp_path),
        env=dict(os.environ) | environment,
        timeout=LONGEST_S,
        preexec_fn=with_default_signals,
    )
    child.expect_exact("web.1 starting")
    child.sendintr()
    child.expect_exact("interrupted; what was sent goes on without orchctl")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_the_exit_code_is_that_of_the_command(start: Start) -> None:
    assert start("deploy", spec=WEB).end() == 0
    assert start("deploy", spec=WEB + "backends: {fake: {behaviour: crash}}\n").end() == 7
    assert start("validate", "--backend", "local", spec="nmae: x\n", program="orchctl").end() == 2


def test_orphans_are_reaped(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    left_behind = "(cat fifo >/dev/null 2>&1 &) ; echo secret"
    container = start("deploy", spec=NEVER.replace('GREETING: "one"', f'S: {{secret: "exec:{left_behind}"}}'))
    container.read_until("web.1 starting")
    command, *orphans = children(container.first)
    assert orphans
    (tmp_path / "fifo").write_text("")  # both ends are open now, and then closed: it ends
    until("the orphan is gone, and no zombie", lambda: children(container.first) == [command])
    os.kill(container.first, signal.SIGTERM)
    assert container.end() == 143
