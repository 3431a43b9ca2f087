"""Hears the engine's Events: keeps them for the final report and shows them as the terminal can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
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
    a deploy must not stop half-way because nobody reads along. ``single``: all Events are of one service."""

    def __init__(self, terminal: Terminal, clock: Clock, *, started: float, single: bool = False) -> None:
        self._views = list(_views(terminal, clock, started, single=single))
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._progress: dict[str, Progress] = {}

    def say(self, event: Event) -> None:
        with self._lock:
            if event.progress is not None:
                self._progress[event.service] = event.progress
            if event.kind is not EventKind.PROGRESS:
                self._events.append(event)
            self._show(event)

    def _show(self, event: Event) -> None:
        for view in tuple(self._views):
            self._try(view, partial(view.show, event))

    def _try(self, view: View, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError:
            self._views.remove(view)

    def events_of(self, service: str) -> list[Event]:
        """What was said about it, without the looks."""
        return [e for e in self._events if e.service == service]

    def progress_of(self, service: str) -> Progress | None:
        """The last look at it."""
        return self._progress.get(service)

    def __enter__(self) -> Self:
        for view in tuple(self._views):
            self._try(view, view.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            views, self._views = self._views, []
        for view in views:
            with suppress(OSError):
                view.stop()


def _views(terminal: Terminal, clock: Clock, started: float, *, single: bool) -> Iterator[View]:
    """A stream on stdout is progress enough for stderr, unless ``--progress json`` asks for both."""
    if terminal.output == "jsonl":
        from orchctl.cli.views.events import JsonLines

        yield JsonLines(terminal.document)
    elif terminal.progress == "tty":
        from orchctl.cli.views.live import LiveView

        yield LiveView(terminal, clock, started)
    elif terminal.progress == "plain":
        yield _plain(terminal, clock, started, single=single)
    if terminal.progress == "json" and not terminal.quiet:
        from orchctl.cli.views.events import JsonLines

        yield JsonLines(terminal.tell)


def _plain(terminal: Terminal, clock: Clock, started: float, *, single: bool) -> View:
    if terminal.audience and terminal.audience.has_gitlab:
        from orchctl.cli.ci.gitlab import Sections

        return Sections(terminal, clock, started, time.time(), single=single)
    from orchctl.cli.views.events import PlainLines

    return PlainLines(terminal, clock, started)
