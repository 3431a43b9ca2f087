"""Events as lines: one for each change of state, and a sign of life every half minute."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchctl.cli.terminal import Terminal
from orchctl.cli.views.documents import event_item, headed
from orchctl.cli.views.style import Style
from orchctl.core.rollout import Event, EventKind, Progress
from orchctl.engine.clock import Clock

HEARTBEAT_MS = 30_000
_TICK_S = 5.0

_STYLES: dict[EventKind, Style] = {
    EventKind.PROBLEM: "error",
    EventKind.WARNING: "warning",
    EventKind.WAITING: "dim",
    EventKind.INSTANCE: "dim",
}


class PlainLines:
    """``web: web.2 ready``; for logs of CI and for pipes."""

    def __init__(self, terminal: Terminal, clock: Clock, started: float) -> None:
        self._terminal = terminal
        self._clock = clock
        self._started = started
        self._services: dict[str, _Told] = {}
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        self._heart.start()

    def show(self, event: Event) -> None:
        with self._lock:
            told = self._services.setdefault(event.service, _Told(spoke_at_ms=event.at_ms))
            told.latest = event
            if event.kind is not EventKind.PROGRESS and event.text != told.text:
                told.text, told.spoke_at_ms = event.text, event.at_ms
                self._tell(event.service, f"{event.service}: {words_of(event)}", _STYLES.get(event.kind))

    def stop(self) -> None:
        self._done.set()
        self._heart.join()

    def tick(self, at_ms: int) -> None:
        """A sign of life for every service that is waited for and of which nothing was said for half a minute."""
        with self._lock:
            for service, told in self._services.items():
                # After a step either a request is under way or the service is done.
                is_waiting = told.latest is not None and told.latest.kind is not EventKind.STEP
                if is_waiting and at_ms - told.spoke_at_ms >= HEARTBEAT_MS:
                    told.spoke_at_ms = at_ms
                    self._terminal.say(f"{service}: still going: {told.words()} ({seconds(at_ms)})", "dim")

    def _tell(self, _service: str, line: str, style: Style | None) -> None:
        self._terminal.say(line, style)

    def _beat(self) -> None:
        while not self._done.wait(_TICK_S):
            self.tick(int((self._clock.now() - self._started) * 1000))


def words_of(event: Event) -> str:
    """Its text, with the word that tells a warning from news where there is no colour."""
    return f"warning: {event.text}" if event.kind is EventKind.WARNING else event.text


@dataclass(slots=True)
class _Told:
    """What was said about a service, and when last."""

    spoke_at_ms: int
    text: str = ""
    latest: Event | None = None

    def words(self) -> str:
        if self.latest is None or self.latest.progress is None:
            return self.text
        return ", ".join(w for w in (ready_words(self.latest.progress), self.latest.text) if w)


class JsonLines:
    """One JSON object for each Event; a look only when what it shows has changed."""

    def __init__(self, write: Callable[[Mapping[str, Any]], None]) -> None:
        self._write = write
        self._shown: dict[str, dict[str, int]] = {}

    def start(self) -> None:
        """Nothing to prepare."""

    def show(self, event: Event) -> None:
        item = event_item(event)
        if event.progress is not None:
            counts = replica_counts(event.progress)
            if self._shown.get(event.service) == counts:
                return
            self._shown[event.service] = item["replicas"] = counts
        self._write(headed("Event", item))

    def stop(self) -> None:
        """Nothing to put back."""


def replica_counts(progress: Progress) -> dict[str, int]:
    return {
        "wanted": progress.replicas,
        "ready": sum(i.ready for i in progress.instances),
        "updated": sum(i.ready and i.current for i in progress.instances),
    }


def ready_words(progress: Progress) -> str:
    """``2/3 ready``: instances of the present definition."""
    counts = replica_counts(progress)
    return f"{counts['updated']}/{counts['wanted']} ready"


def seconds(ms: int) -> str:
    """``6.2 s``, ``3 m 20 s``."""
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, rest = divmod(ms // 1000, 60)
    return f"{minutes} m {rest} s"
