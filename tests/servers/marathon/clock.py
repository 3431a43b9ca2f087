"""Time as the server sees it: real time, which a test may move forward."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch, plus whatever ``advance`` added. Thread-safe."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._last_version = 0
        self._lock = threading.Lock()

    def now(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Every time-out of the server (back-off, health, grace, unreachable) comes that much nearer."""
        with self._lock:
            self._ahead += seconds

    def version(self) -> str:
        """A version later than every one before it; they have milliseconds, and two in one would be the same."""
        with self._lock:
            self._last_version = max(int(self.now() * 1000), self._last_version + 1)
            return text(self._last_version / 1000)


def text(at: float) -> str:
    """``2026-11-23T07:05:50.085Z``, the only form of time in Marathon's answers."""
    moment = datetime.fromtimestamp(round(at * 1000) / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def seconds(stamp: str) -> float:
    """The inverse of ``text``; ValueError for anything else."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
