"""Reads the files that specs are made of: regular files of bounded size, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from orchctl.core.files import read_bounded

MAX_CONTENT_BYTES = 1024 * 1024


def read_confined(path: str, directory: Path) -> bytes:
    """The content of a file inside ``directory``, symbolic links followed; ValueError says why not."""
    inside = Path(os.path.realpath(directory))
    real = Path(os.path.realpath(inside / path))
    if not real.is_relative_to(inside):
        raise ValueError(f"{path!r} is outside the directory of the spec")
    try:
        content = read_bounded(real, MAX_CONTENT_BYTES)
    except OSError as error:
        raise ValueError(f"{path!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path!r} cannot be used: {error}") from None
    if len(content) > MAX_CONTENT_BYTES:
        raise ValueError(f"{path!r} is larger than 1 MiB")
    return content
