"""Children of tests begin as a user's shell would start them in the foreground, whoever started the tests."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST_S = 120.0
"""What anything that a child does may take on a machine that does many other things. No promise of anybody's."""
_SENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP)


def with_default_signals() -> None:
    """For ``preexec_fn``. What a shell ignores for a background job (SIGINT) and nohup for everything (SIGHUP) is inherited:
    a child that waits to be interrupted would wait for ever."""
    for signum in _SENT:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@contextmanager
def limited(process: subprocess.Popen[Any], seconds: float = LONGEST_S) -> Iterator[None]:
    """Kills the process when the block takes longer, so that reading what it says ends."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
