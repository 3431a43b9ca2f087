"""The live view: one block for each service while its rollout is waited for. The only animation."""

from __future__ import annotations

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from orchctl.cli.terminal import Terminal
from orchctl.cli.views.events import ready_words, seconds, words_of
from orchctl.cli.views.sanitise import sanitise
from orchctl.core.rollout import Event, EventKind, Instance, InstanceState, Progress
from orchctl.engine.clock import Clock

_LINES_A_SERVICE = 4
_DOTS = 60
_FRAMES_A_SECOND = 8

_STAYS = {EventKind.PROBLEM: "red", EventKind.WARNING: "yellow"}
"""What is written above the blocks, and stays there."""

_DOT = {
    InstanceState.PENDING: ("○", "dim"),
    InstanceState.STARTING: ("◐", "yellow"),
    InstanceState.RUNNING: ("●", "green"),
    InstanceState.STOPPING: ("◌", "dim"),
    InstanceState.EXITED: ("✗", "red"),
}


class _Console(Console):
    """Leaves the cursor alone: one that was never hidden needs no putting back, however the command ends or is stopped (Ctrl-Z)."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002
        return False


class LiveView:
    """Dots for the instances, the time, and what is not ready and why; problems stay above it."""

    def __init__(self, terminal: Terminal, clock: Clock, started: float) -> None:
        self._clock = clock
        self._started = started
        self._services: dict[str, _Block] = {}
        self._console = _Console(
            file=terminal.err,
            force_terminal=True,
            no_color=not terminal.colour_err,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=_FRAMES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self) -> None:
        self._live.start()

    def show(self, event: Event) -> None:
        block = self._services.setdefault(event.service, _Block())
        block.take(event)
        if style := _STAYS.get(event.kind):
            self._console.print(Text(sanitise(f"{event.service}: {words_of(event)}"), style=style))

    def stop(self) -> None:
        self._live.stop()

    def _draw(self) -> Group:
        elapsed_ms = int((self._clock.now() - self._started) * 1000)
        lines = [line for name, block in list(self._services.items()) for line in block.lines(name, elapsed_ms)]
        return Group(*lines[: max(1, self._console.height - 1)])


class _Block:
    """What is known of one service now."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._step = ""
        self._waiting = ""
        self._at_ms = 0
        self._due_ms = 0

    def take(self, event: Event) -> None:
        self._at_ms = event.at_ms
        if event.usual_ms:
            self._due_ms = event.at_ms + event.usual_ms
        if event.progress is not None:
            self._progress, self._step = event.progress, ""
        if event.kind is EventKind.STEP:
            self._step, self._waiting = event.text, ""
        elif event.kind in (EventKind.WAITING, EventKind.PROGRESS):
            self._waiting = event.text

    def lines(self, name: str, elapsed_ms: int) -> list[Text]:
        troubled = [i for i in self._progress.instances if i.problem or not i.ready] if self._progress else []
        is_done = self._progress is not None and not troubled and not self._waiting
        head = Text(sanitise(name), style="bold", no_wrap=True, overflow="ellipsis")
        if self._progress is not None:
            head.append("  ")
            for instance in self._progress.instances[:_DOTS]:
                head.append(*_dot(instance))
        if self._step and not is_done:  # what has begun since the last look
            head.append(f"  {sanitise(self._step)}", style="not bold")
        elif self._progress is not None:
            head.append(f"  {ready_words(self._progress)}", style="not bold")
        time = seconds(self._at_ms) if is_done else f"{seconds(elapsed_ms)}{self._left(elapsed_ms)}"
        head.append(f"  {time}", style="dim")
        found = [head, *(_trouble(name, i) for i in troubled[:_LINES_A_SERVICE])]
        if len(troubled) > _LINES_A_SERVICE:
            found.append(Text(f"  and {len(troubled) - _LINES_A_SERVICE} more", style="dim"))
        if self._waiting and not troubled:
            found.append(Text(f"  {sanitise(self._waiting)}", style="dim", no_wrap=True, overflow="ellipsis"))
        return found

    def _left(self, elapsed_ms: int) -> str:
        """What the releases before let expect."""
        if not self._due_ms:
            return ""
        left = self._due_ms - elapsed_ms
        if left <= 0:
            return ", longer than usual"
        whole = max(1, round(left / 1000))
        return f", about {seconds(whole * 1000) if whole >= 60 else f'{whole} s'} left"


def _dot(instance: Instance) -> tuple[str, str]:
    if instance.state is InstanceState.RUNNING and not instance.ready:
        return "◐", "yellow"
    mark, style = _DOT[instance.state]
    return mark, style if instance.current else "dim"


def _trouble(service: str, instance: Instance) -> Text:
    from orchctl.engine.wait import describe, place_of

    name = place_of(service, instance)
    style = "red" if instance.problem else "dim"
    return Text(f"  {sanitise(f'{name} {describe(instance)}')}", style=style, no_wrap=True, overflow="ellipsis")
