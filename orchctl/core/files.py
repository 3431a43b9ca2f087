"""Names as parts of paths, and files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

_LONGEST_PART = 200  # file systems take 255 bytes, and names get suffixes
_SHORTEST_HASH = 16


def path_part(name: str) -> str:
    """``name`` as exactly one part of a path, the same for the same name: no separator, never ``.`` or ``..``, never
    too long. Names of letters, digits, ``_``, ``-`` and ``.`` inside stay as they are."""
    part = quote(name, safe="", errors="surrogatepass") or "%"
    part = f"%2E{part[1:]}" if part.startswith(".") else part
    if len(part) <= _LONGEST_PART:
        return part
    import hashlib  # a short command does without

    return part[: _LONGEST_PART - _SHORTEST_HASH] + hashlib.sha256(part.encode()).hexdigest()[:_SHORTEST_HASH]


def read_bounded(path: Path, limit: int) -> bytes:
    """At most ``limit`` + 1 bytes of a regular file; OSError, or ValueError when it is something else.

    Opened without blocking, so that a FIFO cannot hang the command.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is not a regular file")
        return file.read(limit + 1)


def replace_file(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Put ``data`` in the place of ``path`` in one step, on disk when this returns; OSError leaves it as it was.

    ``mode`` None keeps that of the file that is there, and gives a new one what the umask leaves. What is written
    meanwhile lies beside ``path`` under a name that nobody can guess and nothing had: a link planted there is not
    followed. A link at ``path`` itself is replaced; give its ``resolve()`` where it is to stay.
    """
    with _beside(path, data, mode) as temporary:
        temporary.replace(path)
    sync_directory(path.parent)


def try_writing(path: Path) -> None:
    """Raise what ``replace_file`` would; leaves nothing behind."""
    with _beside(path, b"", None):
        pass


def create_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Make ``path`` with ``data``, whole from its first moment on; FileExistsError when it is there already."""
    with _beside(path, data, mode) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links: whole all the same, only not once
            os.rename(temporary, path)
    sync_directory(path.parent)


def is_replaceable(path: Path) -> bool:
    """Nothing is there yet, or a regular file (behind links, too). A device or a pipe is not to be replaced by a file."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


@contextmanager
def _beside(path: Path, data: bytes, mode: int | None) -> Iterator[Path]:
    """A file with that content in the directory of ``path``; gone afterwards, unless it was moved."""
    temporary = path.with_name(f".orchctl-{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666 if mode is None else mode)
    try:
        with open(descriptor, "wb") as file:
            if mode is None:
                with suppress(FileNotFoundError):
                    os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """What was made or replaced in it is there after a power cut, too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
