"""Signals while something is being changed.

The first one asks the engine to stop at its next safe point; if it has not stopped within five seconds
(a request that does not return), the process ends anyway. What was sent goes on without us, and the next
run of the same command takes over the lease at once and resumes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from orchctl.cli.command import talks_json
from orchctl.engine.clock import SystemClock
from orchctl.errors import Interrupted

PATIENCE_S = 4.5


class StoppableClock(SystemClock):
    """The real clock; a stop that is asked for arms the alarm."""

    def stop(self, signum: int) -> None:
        def give_up(_signum: int, _frame: object) -> None:
            os.write(2, _last_words())
            os._exit(128 + signum)

        # An alarm, not a timer thread: a handler may run while any lock is held.
        signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
        super().stop(signum)


def _last_words() -> bytes:
    text = "interrupted: ended while a request was under way"
    if talks_json(sys.argv[1:]):
        from orchctl.cli.views.documents import message_document

        text = json.dumps(message_document(text, "error"))
    return f"{text}\n".encode()


@contextmanager
def stoppable(clock: StoppableClock, resume: str) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP stop ``clock``; the Interrupted says how to go on."""
    with clock.on_signals():
        try:
            yield
        except Interrupted as error:
            raise Interrupted(error.signum, "interrupted; what was sent goes on without orchctl", hint=resume) from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
