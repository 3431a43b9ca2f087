"""What a promise of seconds means on a machine that does other things as well.

A test waits for events, for as long as ``tests.servers.waiting`` says. Where a time is what the product promises, the
machine's own pace in the same minute stretches it: otherwise the test is about the machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STARTS = 10
_USUAL_S = 0.2
"""Ten starts of a bare interpreter, one after the other, on two cores with nothing else to do (2026-11)."""


def slowness() -> float:
    """How many times longer than usual it takes here and now to start a process and see its end; at least 1."""
    started = time.monotonic()
    for _ in range(_STARTS):
        subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
    return max(1.0, (time.monotonic() - started) / _USUAL_S)


@contextmanager
def promised(seconds: float) -> Iterator[None]:
    """The block ends within ``seconds``, or within as many more as this machine is slower than usual."""
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    if took > seconds:
        slower = slowness()
        assert took <= seconds * slower, f"took {took:.1f} s of {seconds:g} s, on a machine {slower:.1f} times slower"
