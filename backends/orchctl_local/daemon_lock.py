"""Does a supervisord live for this context, and which process is it? Told by its lock, which the kernel drops with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from orchctl_local.files import is_locked
from orchctl_local.layout import Layout


def is_running(layout: Layout) -> bool:
    """Does one live?"""
    with _lock_file(layout) as descriptor:
        return descriptor >= 0 and is_locked(descriptor)


def holder(layout: Layout) -> int:
    """Process id of the living supervisord, 0 when there is none."""
    with _lock_file(layout) as descriptor:
        return int(os.read(descriptor, 20) or b"0") if descriptor >= 0 and is_locked(descriptor) else 0


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
