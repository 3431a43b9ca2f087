"""Wait for a condition with a deadline; never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(what: str, condition: Callable[[], T], *, seconds: float = 120.0, every: float = 0.05) -> T:
    """The first true result of ``condition``; TimeoutError names ``what`` and the last error it raised. ``seconds`` is what a
    machine that does many other things may need, and no promise of anybody's: a minute or more."""
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while True:
        try:
            if result := condition():
                return result
        except OSError as error:
            last = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s" + (f" ({last})" if last else ""))
        time.sleep(every)
