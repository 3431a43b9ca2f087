"""``status --watch`` in virtual time: what is printed again, and when."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence

import pyte
import pytest

from orchctl.cli.options import Talk
from orchctl.cli.status import _show
from orchctl.cli.terminal import terminal_of
from orchctl.cli.watch import watch
from orchctl.core.rollout import Phase, Progress
from orchctl.engine.status import ServiceStatus
from orchctl.errors import Unreachable
from orchctl.testing.fake_cluster import Fault, FaultKind
from orchctl.testing.virtual_time import VirtualClock
from tests.cli.harness import CommandLine


def _at_each_look(cli: CommandLine, *actions: Callable[[], object]) -> None:
    """One action at each look after the first one, then Ctrl-C."""
    waiting = iter(actions)
    told_at = [cli.time.now()]

    def strike() -> None:
        if cli.time.now() - told_at[0] < 2:
            return
        told_at[0] = cli.time.now()
        action = next(waiting, None)
        if action is None:
            raise KeyboardInterrupt
        action()

    cli.cluster.on_request = strike


def _nothing() -> None:
    """A look at which nothing has changed."""


def test_a_pipe_gets_a_block_when_something_has_changed(cli: CommandLine) -> None:
    cli.deploy()
    _at_each_look(cli, _nothing, lambda: cli.cluster.definitions["default", "web"].__setattr__("replicas", 3), _nothing)
    result = cli("status", "--watch")
    assert (result.code, result.err) == (130, "")
    blocks = result.out.split("\n\n")
    assert [block.splitlines()[0][:11] for block in blocks] == ["2030-01-01T"] * len(blocks)
    assert "2/2" in blocks[0]
    assert "3/3" in blocks[-1]
    assert len(blocks) <= 3


def test_jsonl_has_a_line_for_each_change(cli: CommandLine) -> None:
    cli.deploy(
        "services:\n  a: {image: x/a:1, rollout: {min_ready: 0s}}\n  b: {image: x/b:1, rollout: {min_ready: 0s}}\n"
    )
    _at_each_look(cli, _nothing, lambda: cli.cluster.definitions.pop(("default", "b")), _nothing)
    result = cli("status", "--watch", "-o", "jsonl")
    assert result.code == 130
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [(line["kind"], line["name"], line["phase"]) for line in lines] == [
        ("ServiceStatus", "a", "healthy"),
        ("ServiceStatus", "b", "healthy"),
        ("ServiceStatus", "b", "stopped"),
    ]
    assert lines[2]["message"] == "it is not there any more"


def test_a_look_that_fails_is_told_once_and_tried_again(cli: CommandLine) -> None:
    cli.deploy()
    outage = Fault(FaultKind.UNREACHABLE, at=0, times=3)
    _at_each_look(cli, lambda: cli.cluster.set_fault(outage), _nothing, _nothing, _nothing, _nothing)
    result = cli("status", "--watch")
    assert result.code == 130
    assert result.err == "the fake cluster does not answer; looking again\n"


def test_a_service_that_is_deleted_leaves_the_others(cli: CommandLine) -> None:
    cli.deploy(
        "services:\n  a: {image: x/a:1, rollout: {min_ready: 0s}}\n  b: {image: x/b:1, rollout: {min_ready: 0s}}\n"
    )

    def delete() -> None:
        cli.cluster.definitions.pop(("default", "b"))
        for key in [k for k in cli.cluster.entries if k.startswith("default/b/")]:
            del cli.cluster.entries[key]

    _at_each_look(cli, delete, _nothing)
    result = cli("status", "a", "b", "--watch")
    assert (result.code, result.err) == (130, "")
    assert [line.split()[0] for line in result.out.split("\n\n")[1].splitlines()[1:]] == ["NAME", "a"]


def test_a_name_that_is_wrong_ends_it_at_once(cli: CommandLine) -> None:
    assert cli("status", "nope", "--watch").code == 4


@pytest.mark.parametrize("words", ["-o json", "-o name", "--interval soon", "--interval 1ms"])
def test_what_does_not_go_together_is_a_usage_error(cli: CommandLine, words: str) -> None:
    assert cli("status", "--watch", *words.split()).code == 2


class _Screen(io.StringIO):
    """A terminal that keeps what it shows."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__()
        self.screen = pyte.Screen(columns, lines)
        self.screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self.screen)
        self.pictures: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._stream.feed(text)
        return len(text)

    def flush(self) -> None:
        self.pictures.append("\n".join(line.rstrip() for line in self.screen.display).rstrip())


def _status(name: str, phase: Phase = Phase.HEALTHY, message: str = "") -> ServiceStatus:
    return ServiceStatus(
        name=name,
        namespace="default",
        backend="fake",
        context="test",
        phase=phase,
        wanted=2,
        ready=2,
        updated=2,
        revision=1,
        image="registry.example.com/web:1",
        message=message,
        progress=Progress(template_hash="t", replicas=2),
    )


def _pictures(
    monkeypatch: pytest.MonkeyPatch, looks: Sequence[Sequence[ServiceStatus] | Unreachable], *, columns: int, lines: int
) -> list[str]:
    screen = _Screen(columns, lines)
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))
    monkeypatch.setenv("TERM", "xterm")
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    first, *later = looks
    assert not isinstance(first, Unreachable)
    coming = iter(later)

    def look() -> Sequence[ServiceStatus]:
        found = next(coming, None)
        if found is None:
            raise KeyboardInterrupt
        if isinstance(found, Unreachable):
            raise found
        return found

    terminal = terminal_of(Talk(), "table")
    assert watch(terminal, VirtualClock(), first, look, _show, every_ms=2000) == 130
    return screen.pictures


def test_each_picture_takes_the_place_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [[_status("a"), _status("b")], [_status("a")], [_status("a", Phase.FAILED)]]
    shown = _pictures(monkeypatch, looks, columns=100, lines=24)
    assert [len(picture.splitlines()) for picture in shown] == [4, 3, 3]
    assert shown[2].splitlines()[1].split()[:2] == ["a", "failed"]
    assert shown[2].splitlines()[2] == "2030-01-01T00:00:44Z, every 2 s, Ctrl-C ends"


def test_a_failed_look_keeps_the_table_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [[_status("a")], Unreachable("no answer\x1b[2J"), [_status("a")]]
    shown = _pictures(monkeypatch, looks, columns=100, lines=24)
    assert shown[1].splitlines()[1].startswith("a     healthy")
    assert shown[1].splitlines()[2] == "no answer\\x1b[2J; looking again"
    assert "no answer" not in shown[2]


def test_forty_columns_show_what_matters_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    status = _status("shop-frontend", Phase.DEGRADED, "crashed: exited with code 7: boom: cannot start")
    shown = _pictures(monkeypatch, [[status], [status]], columns=40, lines=24)
    assert shown[1].splitlines() == [
        "NAME           PHASE     READY",
        "shop-frontend  degraded  2/2",
        "shop-frontend: crashed: exited with",
        "code 7: boom: cannot start",
        "2030-01-01T00:00:42Z, every 2 s, Ctrl-C",
    ]


def test_more_services_than_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [_status(f"s{n:02}") for n in range(30)]
    shown = _pictures(monkeypatch, [many, many], columns=100, lines=10)
    assert len(shown[1].splitlines()) == 9
    assert shown[1].splitlines()[0].startswith("NAME")
    assert shown[1].splitlines()[7] == "and 24 more lines"
