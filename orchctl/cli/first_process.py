"""As the first process of a container: the command runs in a child, and this process does what only it can.

The kernel gives process 1 no default action for signals, so a stop would be ignored by every verb that has no handler of its
own; and whatever loses its parent becomes its child. A handler for SIGCHLD in the same process would take the
exit codes that subprocess waits for, so the two jobs need two processes (tini and dumb-init do it this way).
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_TERMINAL = 0


def step_aside() -> None:
    """Returns in the child, which is the command; this process ends as the child ends."""
    waiting = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)  # one that comes before we know the child is kept
    child = os.fork()
    if child == 0:
        _take_terminal()
        signal.pthread_sigmask(signal.SIG_SETMASK, waiting)
        return
    with suppress(OSError):
        os.setpgid(child, child)  # here, too: whoever is first
    for signum in _PASSED_ON:
        signal.signal(signum, lambda number, _frame: _pass_on(child, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, waiting)
    os._exit(_reap_until(child))


def _take_terminal() -> None:
    """A group of its own in the foreground: Ctrl-C then reaches the command once, and not once more through us."""
    os.setpgid(0, 0)
    with suppress(OSError):  # no terminal
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            os.tcsetpgrp(_TERMINAL, os.getpgrp())
        finally:
            signal.signal(signal.SIGTTOU, before)


def _pass_on(child: int, signum: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, signum)


def _reap_until(child: int) -> int:
    """Wait for whatever ends, orphans among it; the exit code of ``child``, as a shell says it."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
