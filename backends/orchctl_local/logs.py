"""The output of instances, read from the files that supervisord writes."""

from __future__ import annotations

import heapq
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from orchctl.core.endpoint import LogLine
from orchctl.core.files import path_part

_FOLLOW_S = 0.2
_STREAMS = ("stdout", "stderr")


def read_logs(
    home: Path, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
) -> Iterator[LogLine]:
    """Lines of one instance or of all under ``home``, oldest first."""
    tails = _open(home, instance, {})
    try:
        past = heapq.merge(*(t.past() for t in tails.values()), key=lambda line: line.at_ms)
        wanted = (line for line in past if line.at_ms >= since_ms)
        yield from deque(wanted, maxlen=tail) if tail else wanted
        while follow:
            time.sleep(_FOLLOW_S)
            known, tails = tails, _open(home, instance, tails)
            for path in known.keys() - tails.keys():
                known[path].close()
            lines = [line for t in tails.values() for line in t.news()]
            yield from sorted(lines, key=lambda line: line.at_ms)
    finally:
        for reader in tails.values():
            reader.close()


def _open(home: Path, instance: str, known: dict[Path, _Tail]) -> dict[Path, _Tail]:
    """A reader for every output file that exists now; those that are known go on where they were."""
    directories = [home / path_part(instance)] if instance else sorted(home.iterdir()) if home.is_dir() else []
    paths = [(directory, stream) for directory in directories for stream in _STREAMS]
    return {
        path: known.get(path) or _Tail(path, directory.name, stream)
        for directory, stream in paths
        if (path := directory / f"{stream}.log").exists()
    }


class _Tail:
    """One output file, its rotated predecessor first."""

    def __init__(self, path: Path, instance: str, stream: str) -> None:
        self._path = path
        self._instance = instance
        self._stream = stream
        self._file: BinaryIO | None = None
        self._rest = b""
        self._at_ms = 0

    def past(self) -> Iterator[LogLine]:
        """What is there now."""
        rotated = self._path.with_name(f"{self._path.name}.1")
        if rotated.exists():
            with rotated.open("rb") as file:
                yield from self._lines(file)
        yield from self.news()
        if self._rest:
            rest, self._rest = self._rest, b""
            yield self._line(rest)

    def news(self) -> Iterator[LogLine]:
        """What was added since, over a rotation too: the old file stays open until its end was read."""
        if self._file is None:
            self._file = self._open()
        if self._file is None:
            return
        yield from self._lines(self._file)
        if _is_rotated(self._file, self._path):
            yield from self._lines(self._file)
            self._file.close()
            self._file = self._open()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except OSError:
            return None

    def _lines(self, file: BinaryIO) -> Iterator[LogLine]:
        for part in file:
            self._rest += part
            if self._rest.endswith(b"\n"):
                whole, self._rest = self._rest, b""
                yield self._line(whole)

    def _line(self, raw: bytes) -> LogLine:
        """``<milliseconds> <text>``; a line that was cut by a rotation has no time of its own."""
        stamp, _, text = raw.rstrip(b"\r\n").partition(b" ")
        if stamp.isdigit() and len(stamp) == 13:
            self._at_ms = int(stamp)
        else:
            text = raw.rstrip(b"\r\n")
        return LogLine(
            instance=self._instance, text=text.decode(errors="replace"), stream=self._stream, at_ms=self._at_ms
        )


def _is_rotated(file: BinaryIO, path: Path) -> bool:
    try:
        return not os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False
