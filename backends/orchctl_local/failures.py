"""Failures of the file system as orchctl's errors; one table."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from orchctl.errors import AuthRefused, Unreachable

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_HINTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EMFILE: "too many open files",
}


@contextlib.contextmanager
def file_failures() -> Iterator[None]:
    """AuthRefused for what we may not do, Unreachable for what does not work now."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        if error.errno in _REFUSED:
            raise AuthRefused(f"the local backend may not use {what}") from error
        raise Unreachable(f"the local backend failed: {what}", hint=_HINTS.get(error.errno or 0, "")) from error
