"""Programs that tests run, made once and kept below ~/.cache/orchctl-test."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import surroundings
from tests.servers import ledger


def built(name: str, program: str, build: Callable[[Path], None], why: str, cache: Path | None = None) -> Path:
    """``program``, a file or a folder, in the cache's folder ``name``; ``build`` makes it at the path that it is given, in a
    directory that is gone afterwards, with whatever else is in it."""
    folder = (cache or cache_folder()) / name
    if (folder / program).exists():
        return folder / program
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f"{name}.lock")):
        if not (folder / program).exists():
            print(f"building {why} (kept in {folder})", file=sys.stderr, flush=True)
            unfinished = folder / f"unfinished.{os.getpid()}"
            ledger.note("path", unfinished)
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            try:
                build(unfinished / program)
                (unfinished / program).rename(folder / program)
            finally:
                shutil.rmtree(unfinished)
    return folder / program


def fingerprint(folder: Path, *more: str) -> str:
    """16 hex digits over ``more`` and the names and contents of the files in ``folder``."""
    digest = hashlib.sha256("".join(more).encode())
    for source in sorted(folder.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    return surroundings.cache_home() / "orchctl-test"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two runs that start together build once: the second one waits for the first."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
