"""The logs API: frames of stdout and stderr in one stream, cut into lines."""

from __future__ import annotations

import datetime
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from orchctl.core.endpoint import LogLine, not_read
from orchctl_swarm.client import Reading
from orchctl_swarm.failures import from_transport

_HEADER = 8
_ENGINE = "engine"
_STREAMS = {0: "stdout", 1: "stdout", 2: "stderr", 3: _ENGINE}
LONGEST_LINE = 64 * 1024
_MOST_BYTES = 32 * 2**20  # of a read that does not follow: sorted in memory
_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z (com\.docker\.swarm\.\S+ )?")
_LINE_BYTES = 200  # what a line costs beside its text
_LONGEST_FRAME = 4 << 20  # the engine cuts what a program prints into pieces of 16 KiB
_TASK = re.compile(r"com\.docker\.swarm\.task\.id=(\w+)")


def read(reading: Reading, path: str, instance: str, *, tail: int, since_ms: int, follow: bool) -> Iterator[LogLine]:
    """Lines of one task, or of a service's tasks with ``instance`` "": sorted by time unless followed."""
    query = {"stdout": "1", "stderr": "1", "timestamps": "1", "details": "0" if instance else "1"}
    query |= {"tail": str(tail) if tail else "all", "follow": "1" if follow else "0"}
    if since_ms:
        query["since"] = str(since_ms // 1000)
    response = reading.stream(path, query, endless=follow)
    lines = (parse_line(stream, text, instance) for stream, text in split_lines(frames(_chunks(reading, response))))
    chosen = (line for line in lines if line.at_ms >= since_ms or not line.at_ms)
    if follow:
        return _closing(chosen, response)
    with response:
        kept, told = _newest(chosen)
    kept.sort(key=lambda line: line.at_ms)
    return iter([*(kept[-tail:] if tail else kept), *told])


def _newest(lines: Iterable[LogLine]) -> tuple[list[LogLine], list[LogLine]]:
    """What came last and fits in _MOST_BYTES; and what the engine itself says, which is the end of the story: it could not
    read a node."""
    kept: deque[LogLine] = deque()
    told: list[LogLine] = []
    size = 0
    for line in lines:
        if line.stream == _ENGINE:
            told.append(replace(line, stream="stderr"))
            continue
        kept.append(line)
        size += len(line.text) + _LINE_BYTES
        while size > _MOST_BYTES:
            size -= len(kept.popleft().text) + _LINE_BYTES
    return list(kept), told


def _closing(lines: Iterator[LogLine], response: Any) -> Iterator[LogLine]:
    with response:
        for line in lines:
            yield replace(line, stream="stderr") if line.stream == _ENGINE else line


def _chunks(reading: Reading, response: Any) -> Iterator[bytes]:
    import requests

    try:
        yield from response.iter_content(chunk_size=None)
    except requests.exceptions.RequestException as error:
        raise from_transport(error, where=reading.where, write=False) from error


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """(stream, payload) of every frame: one byte stream, three of nothing, four of length, payload. Stream 3 is the
    engine's own word.

    A first byte that is no stream, or a length that no frame has, means a terminal's raw output: passed through.
    """
    buffer, is_raw = bytearray(), False
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _HEADER:
            size = int.from_bytes(buffer[4:_HEADER], "big")
            is_raw = is_raw or buffer[0] not in _STREAMS or buffer[1:4] != b"\0\0\0" or size > _LONGEST_FRAME
            if is_raw:
                yield "stdout", bytes(buffer)
                buffer.clear()
                break
            if len(buffer) < _HEADER + size:
                break
            yield _STREAMS[buffer[0]], bytes(buffer[_HEADER : _HEADER + size])
            del buffer[: _HEADER + size]
    if buffer and (is_raw or buffer[0] not in _STREAMS):
        yield "stdout", bytes(buffer)


def split_lines(found: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, str]]:
    """Whole lines, at most LONGEST_LINE long; what has no line end comes last.

    The engine cuts a line of more than 16 KiB into pieces and writes time and task before each of them, and those of
    several tasks come in turns: pieces are put together by stream and task, without what stands before the later ones.
    """
    rest: dict[tuple[str, bytes], bytes] = {}
    task: dict[str, bytes] = {}
    for stream, payload in found:
        if stamp := _STAMP.match(payload):
            task[stream] = stamp[1] or b""
        key = stream, task.get(stream, b"")
        before = rest.get(key, b"")
        piece = payload[stamp.end() :] if stamp and before else payload
        *lines, rest[key] = (before + piece)[-_MOST_BYTES:].split(b"\n")
        for line in lines:
            yield stream, _text(line)
    for (stream, _), line in rest.items():
        if line:
            yield stream, _text(line)


def _text(line: bytes) -> str:
    return line[:LONGEST_LINE].decode("utf-8", "replace").rstrip("\r")


def parse_line(stream: str, line: str, instance: str) -> LogLine:
    """``TIME [DETAILS] TEXT``; details name the task and are there when no instance was asked for."""
    if stream == _ENGINE:
        return replace(not_read(line, instance), stream=_ENGINE)
    stamp, _, rest = line.partition(" ")
    if not instance:
        details, _, rest = rest.partition(" ")
        match = _TASK.search(details)
        instance = match[1] if match else ""
    return LogLine(instance=instance, text=rest, stream=stream, at_ms=_epoch_ms(stamp))


def _epoch_ms(stamp: str) -> int:
    """The engine writes nanoseconds; Python reads microseconds."""
    try:
        whole, _, fraction = stamp.rstrip("Z").partition(".")
        moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.UTC)
        return int(moment.timestamp()) * 1000 + int((fraction + "000")[:3])
    except ValueError:
        return 0
