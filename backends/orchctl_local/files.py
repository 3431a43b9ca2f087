"""Files that survive a crash at any point, and the one lock that all writers of a context take."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchctl.errors import Unreachable, UsageError
from orchctl_local.layout import Layout, is_former, others

LOCK_TIMEOUT_S = 20.0
"""Longer than a holder may take to start supervisord under it."""
_NO_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST)
_LOCK_POLL_S = 0.02


def make_root(layout: Layout) -> None:
    """Create the context's directory, readable by its owner only; UsageError when it cannot stand there (a home that
    nobody can write to), when another user could write into it, or when it is somebody's already."""
    _make_whole(layout.root)
    if not is_private(layout.root.stat()):
        raise UsageError(
            f"{layout.root} belongs to another user or can be written by others",
            hint="give the context a state_dir that only you can write",
        )
    if not is_ours(layout):
        raise UsageError(
            f"{layout.root} has things in it that orchctl did not put there, and nothing of orchctl's",
            hint="give the context another state_dir, or move them away",
        )


def is_ours(layout: Layout) -> bool:
    """Marked, or made before there were marks, or empty: the lock is made before the mark and goes after it."""
    if layout.mark.exists() or (is_former(layout) and not others(layout)):
        return True
    strange = {path.name for path in layout.root.iterdir()} - {layout.state_lock.name}
    return not strange or layout.mark.exists()  # whoever was quicker than this look has left a mark first


def _settle(layout: Layout) -> None:
    """The caller holds the lock; the mark comes before everything else."""
    layout.mark.touch(mode=0o600)
    for name in ("desired", "store", "tmp", "programs"):
        (layout.root / name).mkdir(exist_ok=True, mode=0o700)


def _make_whole(root: Path) -> None:
    """With its parents."""
    try:
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except FileNotFoundError:  # a parent that a delete took away at this very moment
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        raise UsageError(
            f"the local backend keeps its state in {root}, which cannot be made: {error.strerror}",
            hint="name another directory with ORCHCTL_STATE_DIR, or give the context a state_dir that you can write",
        ) from error


def is_private(found: os.stat_result) -> bool:
    """Ours, and nobody else may write there?"""
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def write_durable(layout: Layout, path: Path, data: bytes) -> None:
    """Write temp, fsync, rename, fsync the directory: after a power cut the old content or the new, never half."""
    write_atomic(layout, path, data, sync=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_atomic(layout: Layout, path: Path, data: bytes, *, sync: bool = False) -> None:
    """Replace ``path`` in one step, 0600; what the keeper can make again needs no fsync."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = layout.tmp / f"{os.getpid()}-{time.monotonic_ns()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """The file's JSON value; None when it is absent or is not JSON."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


@contextlib.contextmanager
def state_lock(layout: Layout, *, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the context's write lock; Unreachable when somebody else keeps it for ``timeout_s``.

    The lock file goes away with the directory, so a lock is good only while its file is still the one
    at that path; otherwise it is taken again.
    """
    end = time.monotonic() + timeout_s
    while True:
        make_root(layout)
        if (descriptor := _open_lock(layout)) is not None:
            try:
                if try_lock(descriptor) and same_file(descriptor, layout.state_lock):
                    _settle(layout)
                    yield
                    return
            finally:
                os.close(descriptor)
        if time.monotonic() > end:
            raise Unreachable(
                f"{layout.state_lock} is held by another process", hint="another orchctl is writing; try again"
            )
        time.sleep(_LOCK_POLL_S)


def _open_lock(layout: Layout) -> int | None:
    """None when a delete took the directory away at this very moment."""
    try:
        return os.open(layout.state_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None


def try_lock(descriptor: int) -> bool:
    """Take the file lock if it is free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(descriptor: int) -> bool:
    """Does somebody hold the file lock? Those who ask do not get into each other's way."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def same_file(descriptor: int, path: Path) -> bool:
    """Is the open file still the one at ``path``?"""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def next_version(layout: Layout) -> int:
    """A number that grows with every change of the context, like a cluster's resource version. Call it locked."""
    try:
        version = int(layout.sequence.read_text()) + 1
    except (FileNotFoundError, ValueError):
        version = 1
    write_durable(layout, layout.sequence, str(version).encode())
    return version


def remove(path: Path) -> None:
    """Remove a file or a tree; absent is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def prune_empty(path: Path) -> None:
    """Remove a directory if nothing is in it."""
    with contextlib.suppress(OSError):
        path.rmdir()
