"""What is said while something is waited for."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from orchctl.cli.options import Talk
from orchctl.cli.reporter import Reporter
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.cli.views.events import PlainLines, seconds
from orchctl.cli.views.live import LiveView
from orchctl.cli.views.style import wants_colour
from orchctl.core.rollout import Event, EventKind, Instance, InstanceState, Progress
from orchctl.testing.virtual_time import VirtualClock


def _terminal(**changes: object) -> Terminal:
    plain = Terminal(
        out=io.StringIO(),
        err=io.StringIO(),
        output="text",
        colour_out=False,
        colour_err=False,
        width=80,
        progress="plain",
        quiet=False,
        verbose=False,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def _text(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def _event(text: str, *, at_ms: int = 0, kind: EventKind = EventKind.STEP, service: str = "web") -> Event:
    return Event(at_ms=at_ms, kind=kind, service=service, text=text)


def _look(at_ms: int, *, ready: int = 1) -> Event:
    instances = tuple(
        Instance(id=f"i{n}", slot=str(n), state=InstanceState.RUNNING, ready=n <= ready) for n in range(1, 4)
    )
    progress = Progress(template_hash="t", replicas=3, instances=instances)
    return Event(at_ms=at_ms, kind=EventKind.PROGRESS, service="web", text="1 of 3 ready", progress=progress)


def test_plain_lines_say_a_change_once() -> None:
    terminal = _terminal()
    view = PlainLines(terminal, VirtualClock(), 0.0)
    for text in ("a", "a", "b"):
        view.show(_event(text))
    assert _text(terminal.err) == "web: a\nweb: b\n"


def test_plain_lines_give_a_sign_of_life_every_half_minute() -> None:
    terminal = _terminal()
    view = PlainLines(terminal, VirtualClock(), 0.0)
    view.show(_event("sent"))
    for at_ms in range(0, 95_000, 5_000):
        view.show(_look(at_ms))
        view.tick(at_ms)
    assert _text(terminal.err).splitlines() == [
        "web: sent",
        "web: still going: 1/3 ready, 1 of 3 ready (30.0 s)",
        "web: still going: 1/3 ready, 1 of 3 ready (1 m 0 s)",
        "web: still going: 1/3 ready, 1 of 3 ready (1 m 30 s)",
    ]


def test_sign_of_life_while_another_deployer_holds_the_lock() -> None:
    terminal = _terminal()
    view = PlainLines(terminal, VirtualClock(), 0.0)
    view.show(_event("waiting for ci@build-7", kind=EventKind.WAITING))
    view.tick(29_000)
    view.tick(31_000)
    assert _text(terminal.err).splitlines()[1:] == ["web: still going: waiting for ci@build-7 (31.0 s)"]


def test_no_sign_of_life_of_a_service_that_is_done() -> None:
    terminal = _terminal()
    view = PlainLines(terminal, VirtualClock(), 0.0)
    view.show(_event("revision 1 is deployed"))
    view.tick(300_000)
    assert _text(terminal.err) == "web: revision 1 is deployed\n"


class _GoneStream(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_work_goes_on_when_nobody_reads_any_more() -> None:
    reporter = Reporter(_terminal(err=_GoneStream()), VirtualClock(), started=0.0)
    with reporter:
        reporter.say(_event("one"))
        reporter.say(_event("two"))
    assert [e.text for e in reporter.events_of("web")] == ["one", "two"]


def test_quiet_shows_nothing_and_remembers_all() -> None:
    terminal = _terminal(progress="quiet")
    with Reporter(terminal, VirtualClock(), started=0.0) as reporter:
        reporter.say(_event("one"))
        reporter.say(_look(1))
    assert _text(terminal.err) == ""
    assert [e.text for e in reporter.events_of("web")] == ["one"]
    assert reporter.progress_of("web") == _look(1).progress


def test_jsonl_tells_a_look_only_when_it_shows_something_new() -> None:
    terminal = _terminal(output="jsonl")
    with Reporter(terminal, VirtualClock(), started=0.0) as reporter:
        for ready in (1, 1, 2, 2):
            reporter.say(_look(5, ready=ready))
    replicas = [json.loads(line)["replicas"]["ready"] for line in _text(terminal.out).splitlines()]
    assert replicas == [1, 2]


def test_live_view_never_grows_beyond_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the screen, where a long line would be two; the last line is left for the cursor."""
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("COLUMNS", "40")
    view = LiveView(_terminal(progress="tty"), VirtualClock(), 0.0)
    shown = []
    for number in range(100):
        view.show(replace(_look(0), service=f"service{number}" * 9))
        shown.append(len(view._console.render_lines(view._draw())))
    assert max(shown) == 9


@pytest.mark.parametrize(("ms", "words"), [(0, "0.0 s"), (6_240, "6.2 s"), (59_949, "59.9 s"), (200_000, "3 m 20 s")])
def test_durations_for_people(ms: int, words: str) -> None:
    assert seconds(ms) == words


@pytest.mark.parametrize(
    ("mode", "environ", "is_terminal", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour_follows_flag_and_environment(
    mode: str, environ: dict[str, str], is_terminal: bool, wanted: bool
) -> None:
    assert wants_colour(mode, environ, is_terminal=is_terminal) is wanted


def test_progress_is_plain_where_no_terminal_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal_of(Talk(), "text").progress == "plain"
    assert terminal_of(Talk(quiet=True), "text").progress == "quiet"
    assert terminal_of(Talk(progress="tty"), "text").progress == "tty"


def _drawn(view: LiveView) -> list[str]:
    return [str(line) for line in view._draw().renderables]


def test_live_view_shows_who_is_not_ready_and_counts_the_rest() -> None:
    clock = VirtualClock()
    view = LiveView(_terminal(progress="tty"), clock, clock.now())
    instances = tuple(Instance(id=f"i{n}", slot=str(n), state=InstanceState.STARTING) for n in range(1, 8))
    progress = Progress(template_hash="t", replicas=7, instances=instances)
    view.show(Event(at_ms=0, kind=EventKind.PROGRESS, service="web", text="0 of 7 ready", progress=progress))
    clock.sleep(6.25)
    assert _drawn(view) == [
        "web  ◐◐◐◐◐◐◐  0/7 ready  6.2 s",
        "  web.1 starting",
        "  web.2 starting",
        "  web.3 starting",
        "  web.4 starting",
        "  and 3 more",
    ]


def test_live_view_stops_the_time_of_a_service_that_is_done() -> None:
    clock = VirtualClock()
    view = LiveView(_terminal(progress="tty"), clock, clock.now())
    view.show(replace(_look(2_000, ready=3), text=""))
    clock.sleep(60.0)
    assert _drawn(view) == ["web  ●●●  3/3 ready  2.0 s"]


def _starting(at_ms: int = 0) -> Event:
    instances = tuple(Instance(id=f"i{n}", slot=str(n), state=InstanceState.STARTING) for n in range(1, 3))
    progress = Progress(template_hash="t", replicas=2, instances=instances)
    return Event(at_ms=at_ms, kind=EventKind.PROGRESS, service="web", text="0 of 2 ready", progress=progress)


@pytest.mark.parametrize(
    ("after_s", "time"),
    [
        (2.0, "2.0 s, about 9 s left"),
        (10.8, "10.8 s, about 1 s left"),
        (11.0, "11.0 s, longer than usual"),
        (75.0, "1 m 15 s, longer than usual"),
    ],
)
def test_live_view_says_how_long_it_will_take_from_the_releases_before(after_s: float, time: str) -> None:
    clock = VirtualClock()
    view = LiveView(_terminal(progress="tty"), clock, clock.now())
    view.show(replace(_event("revision 4", at_ms=1_000), usual_ms=10_000))
    view.show(_starting())
    clock.sleep(after_s)
    assert _drawn(view)[0] == f"web  ◐◐  0/2 ready  {time}"


def test_live_view_says_minutes_where_it_takes_minutes() -> None:
    clock = VirtualClock()
    view = LiveView(_terminal(progress="tty"), clock, clock.now())
    view.show(replace(_event("revision 4"), usual_ms=200_000))
    assert _drawn(view) == ["web  revision 4  0.0 s, about 3 m 20 s left"]


def test_live_view_names_the_step_that_has_begun_until_it_shows() -> None:
    clock = VirtualClock()
    view = LiveView(_terminal(progress="tty"), clock, clock.now())
    view.show(_starting())
    view.show(_event("rolling back to revision 3"))
    assert _drawn(view)[0] == "web  ◐◐  rolling back to revision 3  0.0 s"
    view.show(_starting())
    assert _drawn(view)[0] == "web  ◐◐  0/2 ready  0.0 s"
