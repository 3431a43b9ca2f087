"""Does a supervisord live for this context, and which process is it? Told by its lock, which the kernel drops with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from orchctl_local.files import is_locked
from orchctl_local.layout import Layout

_MOST_BYTES = 64


def is_running(layout: Layout) -> bool:
    """Does one live?"""
    with _lock_file(layout) as descriptor:
        return descriptor >= 0 and is_locked(descriptor)


def holder(layout: Layout) -> int:
    """Process id of the living supervisord, 0 when there is none."""
    return pid_in(life(layout))


def life(layout: Layout) -> str:
    """Which supervisord lives, "" when there is none: its process id and a word of its own, since an id comes again, after
    a restart of the machine or of a container nearly always."""
    with _lock_file(layout) as descriptor:
        return os.read(descriptor, _MOST_BYTES).decode("ascii") if descriptor >= 0 and is_locked(descriptor) else ""


def new_life() -> str:
    """For the process that calls."""
    return f"{os.getpid()} {os.urandom(8).hex()}"


def pid_in(life: str) -> int:
    """0 when there is none."""
    first = life.partition(" ")[0]
    return int(first) if first.isdecimal() else 0


@contextlib.contextmanager
def _lock_file(layout: Layout) -> Iterator[int]:
    """The opened lock file, -1 when there is none."""
    try:
        descriptor = os.open(layout.daemon_lock, os.O_RDWR)
    except FileNotFoundError:
        yield -1
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
