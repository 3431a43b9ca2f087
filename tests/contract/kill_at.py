"""orchctl's own main, killed with SIGKILL at the n-th durable step. Run as a script: ``kill_at.py N ARGS...``.

A step is the moment before and the moment after each fsync, rename and link of this process (what a power cut
could separate), and before each request and after each answer over HTTP. N = 0 only counts, and prints the steps on
the last line of stderr, one letter each: ``w`` for the moment right after a write, ``.`` for every other.
"""

import http.client
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT = int(sys.argv[1])
SEEN: list[str] = []


def step(letter: str = ".") -> None:
    SEEN.append(letter)
    if len(SEEN) == LIMIT:
        os.kill(os.getpid(), signal.SIGKILL)


def watched(function: Any, after: Callable[..., str] = lambda *_args, **_options: ".") -> Any:
    def call(*args: Any, **options: Any) -> Any:
        step()
        letter = after(*args, **options)
        result = function(*args, **options)
        step(letter)
        return result

    return call


def is_written(*_args: Any, **_options: Any) -> str:
    return "w"


def is_answered(connection: http.client.HTTPConnection) -> str:
    return "." if getattr(connection, "_method", None) in ("GET", "HEAD") else "w"


def main() -> None:
    os.fsync = watched(os.fsync)
    for name in ("rename", "replace", "link"):
        setattr(os, name, watched(getattr(os, name), is_written))
    Path.replace = watched(Path.replace, is_written)  # type: ignore[method-assign]
    http.client.HTTPConnection.putrequest = watched(http.client.HTTPConnection.putrequest)  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = watched(http.client.HTTPConnection.getresponse, is_answered)  # type: ignore[method-assign]
    from orchctl.boot import main as orchctl

    sys.argv = ["orchctl", *sys.argv[2:]]
    try:
        orchctl()
    finally:
        if LIMIT == 0:
            print("".join(SEEN), file=sys.stderr)


main()
