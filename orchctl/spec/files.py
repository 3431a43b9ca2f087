"""Reads the files that specs are made of: regular files of bounded size, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAX_CONTENT_BYTES = 1024 * 1024


def read_bounded(path: Path, limit: int = MAX_CONTENT_BYTES) -> bytes:
    """At most ``limit`` + 1 bytes of a regular file; OSError, or ValueError when it is something else.

    Opened without blocking, so that a FIFO cannot hang the command.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is not a regular file")
        return file.read(limit + 1)


def read_confined(path: str, directory: Path) -> bytes:
    """The content of a file inside ``directory``, symbolic links followed; ValueError says why not."""
    inside = Path(os.path.realpath(directory))
    real = Path(os.path.realpath(inside / path))
    if not real.is_relative_to(inside):
        raise ValueError(f"{path!r} is outside the directory of the spec")
    try:
        content = read_bounded(real)
    except OSError as error:
        raise ValueError(f"{path!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path!r} cannot be used: {error}") from None
    if len(content) > MAX_CONTENT_BYTES:
        raise ValueError(f"{path!r} is larger than 1 MiB")
    return content
