"""Children of tests begin as a user's shell would start them in the foreground, whoever started the tests."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.surroundings import default_signals

LONGEST_S = 120.0
"""What anything that a child does may take on a machine that does many other things. No promise of anybody's."""


def with_default_signals() -> None:
    """For ``preexec_fn``. What a shell ignores for a background job (SIGINT) and nohup for everything (SIGHUP) is inherited:
    a child that waits to be interrupted would wait for ever."""
    default_signals()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it


@contextmanager
def limited(process: subprocess.Popen[Any], seconds: float = LONGEST_S) -> Iterator[None]:
    """Kills the process when the block takes longer, so that reading what it says ends."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
