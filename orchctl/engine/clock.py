"""Time and interruption, as arguments: the engine never reads a clock of its own."""

from __future__ import annotations

import datetime
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from orchctl.errors import Interrupted


class Clock(Protocol):
    """Monotonic seconds for waiting, wall time only to be written into records."""

    def now(self) -> float:
        """Seconds, never going back."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises Interrupted when a stop was asked for before or meanwhile."""

    def wall(self) -> str:
        """ISO 8601 UTC, whole seconds."""


class SystemClock:
    """The real clock. ``stop`` may be called from a signal handler: it ends the sleep under way."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._signum = 0

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._stop.wait(max(0.0, seconds))
        self.check()

    def check(self) -> None:
        """Raise Interrupted if a stop was asked for."""
        if self._stop.is_set():
            raise Interrupted(self._signum)

    def stop(self, signum: int) -> None:
        """Ask the engine to stop at its next safe point."""
        self._signum = signum
        self._stop.set()

    def wall(self) -> str:
        return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """First SIGINT, SIGTERM or SIGHUP: ``stop``. Second: out at once, exit 128 + n."""
        import os

        def handler(signum: int, _frame: object) -> None:
            if self._stop.is_set():
                os._exit(128 + signum)
            self.stop(signum)

        watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {s: signal.signal(s, handler) for s in watched}
        try:
            yield
        finally:
            for signum, old in before.items():
                signal.signal(signum, old)
