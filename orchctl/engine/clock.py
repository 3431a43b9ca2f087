"""Time and interruption, as arguments: the engine never reads a clock of its own."""

from __future__ import annotations

import datetime
import os
import select
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from orchctl.errors import AuthRefused, Interrupted, Unreachable

T = TypeVar("T")

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LONGEST_MS = 2**31 - 1  # what poll(2) takes: 24 days


class Clock(Protocol):
    """Monotonic seconds for waiting, wall time only to be written into records."""

    def now(self) -> float:
        """Seconds, never going back."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises Interrupted when a stop was asked for before or meanwhile."""

    def wall(self) -> str:
        """ISO 8601 UTC, whole seconds."""


def patiently(action: Callable[[], T], clock: Clock, seconds: float) -> T:
    """``action``, again for ``seconds`` while the backend cannot be reached or refuses us: one lost packet, or one token that
    is being renewed, ends nothing. For what may be done twice."""
    until = clock.now() + seconds
    while True:
        try:
            return action()
        except (Unreachable, AuthRefused):
            if clock.now() >= until:
                raise
        clock.sleep(0.5)


class SystemClock:
    """The real clock. ``stop`` may be called from a signal handler: it ends the sleep under way."""

    def __init__(self) -> None:
        self._signum = 0
        self._wake_up: _WakeUp | None = None
        self._creating = threading.Lock()

    def now(self) -> float:
        """Goes on while the machine sleeps, where the system has such a clock: a lease ages then, too."""
        return time.clock_gettime(_CLOCK)

    def sleep(self, seconds: float) -> None:
        wake_up = self._prepared()
        self.check()  # after the wake-up is there: a later stop finds it
        wake_up.wait(seconds)
        self.check()

    def check(self) -> None:
        """Raise Interrupted if a stop was asked for."""
        if self._signum:
            raise Interrupted(self._signum)

    def stop(self, signum: int) -> None:
        """Ask the engine to stop at its next safe point; the first ``signum`` stays."""
        if not self._signum:
            self._signum = signum
            if self._wake_up is not None:
                self._wake_up.wake()

    def _prepared(self) -> _WakeUp:
        """Made when first needed: most commands never sleep. ``stop`` takes no lock, so it may interrupt this."""
        with self._creating:
            if self._wake_up is None:
                self._wake_up = _WakeUp()
            return self._wake_up

    def wall(self) -> str:
        return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """First SIGINT, SIGTERM or SIGHUP: ``stop``. Second: out at once, exit 128 + n. A SIGHUP that is ignored stays so:
        whoever uses nohup wants the command to go on. SIGINT does not: shells ignore it for every background job, and CI
        runners send it to those to cancel them."""

        def handler(signum: int, _frame: object) -> None:
            if self._signum:
                os._exit(128 + signum)
            self.stop(signum)

        is_detached = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        watched = (signal.SIGINT, signal.SIGTERM) if is_detached else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {s: signal.signal(s, handler) for s in watched}
        try:
            yield
        finally:
            for signum, old in before.items():
                signal.signal(signum, old)


class _WakeUp:
    """Ends every wait, under way or to come, with one byte into a pipe that nobody reads.

    A handler runs between two instructions of the main thread, which may hold the lock of a
    ``threading.Event`` that it waits on: ``Event.set`` would then wait for ever.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()  # closed in children (PEP 446)
        weakref.finalize(self, _close, self._read, self._write)

    def wait(self, seconds: float) -> None:
        poll = select.poll()  # one for each wait: a poll object serves one thread; fds beyond 1023 are fine
        poll.register(self._read, select.POLLIN)
        poll.poll(min(max(0.0, seconds) * 1000, _LONGEST_MS))

    def wake(self) -> None:
        os.write(self._write, b"!")


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)
