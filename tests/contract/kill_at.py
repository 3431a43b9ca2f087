"""orchctl's own main, killed with SIGKILL at the n-th durable step. Run as a script: ``kill_at.py N ARGS...``.

A step is the moment before and the moment after each fsync, rename and link of this process (what a power cut
could separate), and before each request and after each answer over HTTP. N = 0 only counts, and prints the number of steps on the last line of stderr.
"""

import http.client
import os
import signal
import sys
from pathlib import Path
from typing import Any

LIMIT = int(sys.argv[1])
SEEN = 0


def step() -> None:
    global SEEN
    SEEN += 1
    if LIMIT == SEEN:
        os.kill(os.getpid(), signal.SIGKILL)


def watched(function: Any) -> Any:
    def call(*args: Any, **options: Any) -> Any:
        step()
        result = function(*args, **options)
        step()
        return result

    return call


def main() -> None:
    for name in ("fsync", "rename", "replace", "link"):
        setattr(os, name, watched(getattr(os, name)))
    Path.replace = watched(Path.replace)  # type: ignore[method-assign]
    http.client.HTTPConnection.putrequest = watched(http.client.HTTPConnection.putrequest)  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = watched(http.client.HTTPConnection.getresponse)  # type: ignore[method-assign]
    from orchctl.boot import main as orchctl

    sys.argv = ["orchctl", *sys.argv[2:]]
    try:
        orchctl()
    finally:
        if LIMIT == 0:
            print(SEEN, file=sys.stderr)


main()
