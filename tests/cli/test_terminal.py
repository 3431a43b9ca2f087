"""The program in a real terminal: what the screen shows, what it asks, how it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.children import LONGEST_S, with_default_signals
from tests.cli.harness import WEB
from tests.pace import promised
from tests.servers.waiting import until

_ROOT = Path(__file__).parents[2]
NEVER = WEB + "backends: {fake: {behaviour: never_ready}}\n"
CRASH = WEB + "backends: {fake: {behaviour: crash}}\n"


class Terminal:
    """A program on a screen of 24 lines."""

    def __init__(
        self, directory: Path, arguments: list[str], environment: dict[str, str], columns: int, *, is_detached: bool
    ) -> None:
        self.screen = pyte.Screen(columns, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "tests.cli.fake_program", *arguments],
            cwd=str(directory),
            env={**_environment(directory), **environment},
            dimensions=(24, columns),
            preexec_fn=_as_under_nohup if is_detached else with_default_signals,
        )

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, condition: Callable[[str], bool]) -> str:
        """The screen once it fulfils the condition; fails when the program ends without, or says nothing for too long."""
        deadline = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline:
            if condition(self.text):
                return self.text
            if not self._feed():
                break
        assert condition(self.text), self.text
        return self.text

    def end(self) -> int:
        """Exit code, when everything that was written is on the screen."""
        deadline = time.monotonic() + LONGEST_S
        while self._feed():
            assert time.monotonic() < deadline, f"it does not end:\n{self.text}"
        until("the end of the process", lambda: not self.child.isalive())
        self.child.close()
        return self.child.exitstatus if self.child.exitstatus is not None else 128 + int(self.child.signalstatus or 0)

    def _feed(self) -> bool:
        try:
            data = self.child.read_nonblocking(65536, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True


def _as_under_nohup() -> None:
    with_default_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _environment(directory: Path) -> dict[str, str]:
    foreign = ("CI", "NO_COLOR", "FORCE_COLOR", "ORCHCTL_CONTEXT", "COLUMNS", "LINES")
    kept = {k: v for k, v in os.environ.items() if k not in foreign}
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "backends"), kept.get("PYTHONPATH", "")])
    own = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": path}
    return kept | own | {"ORCHCTL_STATE_DIR": str(directory / "state"), "XDG_CONFIG_HOME": str(directory / "config")}


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    opened: list[Terminal] = []
    (tmp_path / ".git").mkdir()
    (tmp_path / ".orchctl.toml").write_text(
        'default = "t"\n[contexts.t]\nbackend = "fake"\n[contexts.prod]\nbackend = "fake"\nprotected = true\n'
    )

    def run(
        *arguments: str, spec: str = WEB, columns: int = 100, is_detached: bool = False, **environment: str
    ) -> Terminal:
        (tmp_path / "orch.yaml").write_text(spec)
        opened.append(Terminal(tmp_path, [*arguments], environment, columns, is_detached=is_detached))
        return opened[-1]

    yield run
    for one in opened:
        one.child.close(force=True)


def test_live_view_shows_instances_time_and_what_is_missing(terminal: Open) -> None:
    screen = terminal("deploy", spec=NEVER)
    shown = screen.until(lambda text: "0/2 ready" in text)
    head = next(line for line in shown.splitlines() if line.startswith("web  "))
    assert "◐◐" in head
    assert head.rstrip().endswith(" s")
    assert "  web.1 starting" in shown
    screen.child.kill(signal.SIGTERM)
    assert screen.end() == 143


def test_live_view_leaves_only_the_result(terminal: Open) -> None:
    screen = terminal("deploy", "--color", "never")
    assert screen.end() == 0
    lines = screen.text.splitlines()
    assert lines[0] == "fake at fake://memory, namespace default, context t"
    assert lines[1].startswith("web: converged, revision 1, 2/2 ready (")
    assert len(lines) == 2
    assert not screen.screen.cursor.hidden


def test_failure_stays_on_the_screen(terminal: Open) -> None:
    screen = terminal("deploy", spec=CRASH)
    assert screen.end() == 7
    assert "web: crashed: exited with code 7" in screen.text
    assert "    | boom: cannot start" in screen.text


def test_doctor_shows_states_in_colour_and_folds_findings_below_themselves(terminal: Open) -> None:
    screen = terminal("doctor", "--context", "t", FAKE_ENDPOINT="far away " * 12)
    assert screen.end() == 0
    assert screen.raw.count(b"\x1b[32mgood\x1b[0m") == 3
    lines = screen.text.splitlines()
    assert lines[2].startswith("good     t  connection: answered by far away")
    assert lines[3].startswith(" " * len("good     t  ") + "far away")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signal_says_how_to_resume_and_restores_the_terminal(terminal: Open, signum: int, code: int) -> None:
    screen = terminal("deploy", spec=NEVER)
    screen.until(lambda text: "0/2 ready" in text)
    with promised(5):
        screen.child.kill(signum)
        assert screen.end() == code
    assert "error[E1200]: interrupted; what was sent goes on without orchctl" in screen.text
    assert "help: run the same command again to resume: orchctl deploy" in screen.text
    assert not screen.screen.cursor.hidden
    assert "0/2 ready" not in screen.text


def test_under_nohup_a_deploy_goes_on_when_the_terminal_is_closed(terminal: Open) -> None:
    screen = terminal("deploy", spec=NEVER, is_detached=True)
    screen.until(lambda text: "0/2 ready" in text)
    screen.child.kill(signal.SIGHUP)
    screen.child.kill(signal.SIGTERM)
    assert screen.end() == 143


def test_signal_ends_a_request_that_does_not_return(terminal: Open) -> None:
    screen = terminal("deploy", FAKE_STUCK="1", FAKE_PATIENCE_S="0.3")
    screen.until(lambda text: "apply revision 1" in text)
    screen.child.kill(signal.SIGTERM)
    assert screen.end() == 143
    assert "interrupted: ended while a request was under way" in screen.text
    assert not screen.screen.cursor.hidden


def test_second_signal_ends_at_once(terminal: Open) -> None:
    screen = terminal("deploy", FAKE_STUCK="1", FAKE_PATIENCE_S="3600")
    screen.until(lambda text: "apply revision 1" in text)
    screen.child.kill(signal.SIGINT)

    def is_over() -> bool:
        """Again and again: two that come before Python has looked are one."""
        screen.child.kill(signal.SIGINT)
        return not screen.child.isalive()

    until("its end", is_over)
    assert screen.end() == 130


def test_plain_progress_in_a_terminal(terminal: Open) -> None:
    screen = terminal("deploy", "--progress", "plain", "--color", "never")
    assert screen.end() == 0
    assert "web: web.1 starting" in screen.text.splitlines()
    assert b"\x1b" not in screen.raw


def test_dumb_terminal_gets_plain_lines(terminal: Open) -> None:
    screen = terminal("deploy", TERM="dumb")
    assert screen.end() == 0
    assert b"\x1b" not in screen.raw


def test_delete_asks_and_no_changes_nothing(terminal: Open) -> None:
    screen = terminal("delete", "web", FAKE_RUNNING="web")
    screen.until(lambda text: text.endswith("[y/N]"))
    assert screen.text == (
        "fake at fake://memory, namespace default, context t\nDelete web (namespace default, context t)? [y/N]"
    )
    screen.child.sendline("n")
    assert screen.end() == 2
    assert "error[E0103]: not confirmed: nothing was changed" in screen.text


def test_delete_goes_on_after_yes(terminal: Open) -> None:
    screen = terminal("delete", "web", FAKE_RUNNING="web")
    screen.until(lambda text: text.endswith("[y/N]"))
    screen.child.sendline("y")
    assert screen.end() == 0
    assert "web: deleted (" in screen.text


def test_interrupt_at_the_question_ends_with_130(terminal: Open) -> None:
    screen = terminal("delete", "web", FAKE_RUNNING="web")
    screen.until(lambda text: text.endswith("[y/N]"))
    screen.child.sendintr()
    assert screen.end() == 130
    assert "Traceback" not in screen.text


def test_end_of_input_at_the_question_is_no(terminal: Open) -> None:
    screen = terminal("delete", "web", FAKE_RUNNING="web")
    screen.until(lambda text: text.endswith("[y/N]"))
    screen.child.sendeof()
    assert screen.end() == 2


@pytest.mark.parametrize(("answer", "code"), [("prod", 0), ("y", 2), ("t", 2)])
def test_protected_context_wants_its_name_typed(terminal: Open, answer: str, code: int) -> None:
    screen = terminal("restart", "web", "--context", "prod", FAKE_RUNNING="web")
    screen.until(lambda text: text.endswith("Type its name to go on:"))
    screen.child.sendline(answer)
    assert screen.end() == code


def test_hostile_text_is_shown_not_obeyed(terminal: Open) -> None:
    screen = terminal("deploy", "--color", "never", FAKE_ENDPOINT="\x1b[2J\x1b]0;owned\x07\x9b1A\u202e")
    assert screen.end() == 0
    first = "fake at \\x1b[2J\\x1b]0;owned\\x07\\x9b1A\\u202e, namespace default, context t"
    assert screen.text.splitlines()[0] == first
    assert screen.screen.title == ""


def test_signal_with_several_services_is_told_once_for_each(terminal: Open) -> None:
    never = "rollout: {min_ready: 0s}, backends: {fake: {behaviour: never_ready}}"
    screen = terminal("deploy", spec=f"services:\n  a: {{image: x/a:1, {never}}}\n  b: {{image: x/b:1, {never}}}\n")
    screen.until(lambda text: text.count("0/1 ready") == 2)
    screen.child.kill(signal.SIGINT)
    assert screen.end() == 130
    assert "a: in progress" in screen.text
    assert "b: in progress" in screen.text
    assert "what was sent goes on without orchctl; run the same command again to resume: orchctl deploy" in (
        screen.text.replace("\n", "")
    )


@pytest.mark.parametrize("columns", [100, 40])
def test_watched_status_is_drawn_in_its_place_and_ctrl_c_ends_it(terminal: Open, columns: int) -> None:
    screen = terminal("status", "--watch", "--interval", "100ms", columns=columns, FAKE_RUNNING="api web")
    screen.until(lambda text: text.count("healthy") == 2)
    frames = screen.raw.count(b"NAME")
    shown = screen.until(lambda _: screen.raw.count(b"NAME") >= frames + 3)
    assert [line.split()[:1] for line in shown.splitlines()[:3]] == [["NAME"], ["api"], ["web"]]
    assert shown.count("NAME") == 1
    assert len(shown.splitlines()) == 4
    screen.child.sendintr()
    assert screen.end() == 130
    assert "Traceback" not in screen.text
    assert "interrupted" not in screen.text
    assert b"\x1b[?" not in screen.raw  # the cursor was never hidden, the screen never switched


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_end_a_watch_as_well(terminal: Open, signum: int, code: int) -> None:
    screen = terminal("status", "--watch", "--interval", "1h", FAKE_RUNNING="web")
    screen.until(lambda text: "Ctrl-C ends" in text)
    screen.child.kill(signum)
    assert screen.end() == code
