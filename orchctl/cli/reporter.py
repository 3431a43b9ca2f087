"""Hears the engine's Events: keeps them for the final report and shows them as the terminal can."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol, Self

from orchctl.cli.terminal import Terminal
from orchctl.core.rollout import Event, EventKind, Progress
from orchctl.engine.clock import Clock


class View(Protocol):
    """Shows Events; called by one thread at a time."""

    def start(self) -> None: ...

    def show(self, event: Event) -> None: ...

    def stop(self) -> None: ...


class Reporter:
    """``say`` may be called from several threads. A terminal that went away silences it, and the work goes on:
    a deploy must not stop half-way because nobody reads along."""

    def __init__(self, terminal: Terminal, clock: Clock, *, started: float) -> None:
        self._view: View | None = _view(terminal, clock, started)
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._progress: dict[str, Progress] = {}

    def say(self, event: Event) -> None:
        with self._lock:
            if event.progress is not None:
                self._progress[event.service] = event.progress
            if event.kind is not EventKind.PROGRESS:
                self._events.append(event)
            try:
                if self._view is not None:
                    self._view.show(event)
            except OSError:
                self._view = None

    def events_of(self, service: str) -> list[Event]:
        """What was said about it, without the looks."""
        return [e for e in self._events if e.service == service]

    def progress_of(self, service: str) -> Progress | None:
        """The last look at it."""
        return self._progress.get(service)

    def __enter__(self) -> Self:
        if self._view is not None:
            self._view.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            view, self._view = self._view, None
        if view is not None:
            view.stop()


def _view(terminal: Terminal, clock: Clock, started: float) -> View | None:
    if terminal.output == "jsonl":
        from orchctl.cli.render.events import JsonLines

        return JsonLines(terminal)
    if terminal.progress == "tty":
        from orchctl.cli.render.live import LiveView

        return LiveView(terminal, clock, started)
    if terminal.progress == "plain":
        from orchctl.cli.render.events import PlainLines

        return PlainLines(terminal, clock, started)
    return None
