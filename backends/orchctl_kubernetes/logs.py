"""Output of pods: lines with a time, of one run of one container or of several pods together."""

from __future__ import annotations

import datetime
import heapq
import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from orchctl.core.endpoint import LogLine, not_read
from orchctl.errors import NotFound, Unreachable, UsageError
from orchctl_kubernetes.client import Reading
from orchctl_kubernetes.problems import is_lost, number, part, status_of
from orchctl_kubernetes.progress import name_of
from orchctl_kubernetes.resources import PODS

Json = Mapping[str, Any]
Opened = Callable[[], Iterator[LogLine]]

LONGEST_LINE = 64 * 1024
_STAMP_ROOM = 64
MOST_BYTES = 32 * 2**20  # of a read that does not follow: held in memory
_WAITING_LINES = 1000
_LOOK_S = 0.2
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)\Z")
_RUN = re.compile(r"([A-Za-z0-9][^/\s]*)(?:/(\d{1,9}))?")


def read(
    reading: Reading,
    namespace: str,
    container: str,
    pods: Sequence[Json],
    instance: str,
    *,
    tail: int,
    since_ms: int,
    follow: bool,
) -> Iterator[LogLine]:
    """Lines of ``pods``, or of the one run that ``instance`` names, sorted by time unless followed.

    NotFound when that run's output is gone. Without ``instance``, pods that never had a process have no lines, and those
    of a container that was started again also show the run before: it tells why.
    """
    chosen = pods if instance else [p for p in pods if _has_run(p, container) and not is_lost(p)]
    query = {"container": container, "timestamps": "true"}
    query |= {"tailLines": str(tail)} if tail else {}
    query |= {"sinceTime": _rfc3339(since_ms)} if since_ms else {}
    streams: list[Opened] = []
    for pod in chosen:
        path = PODS.path(namespace, name_of(pod), "log")
        runs = [which_run(pod, container, instance)]
        runs += _run_before(pod, container) if not instance and not follow else []
        for run, previous in runs:
            asked = query | ({"previous": "true"} if previous else {"follow": "true"} if follow else {})
            endless = follow and not previous
            streams.append(partial(_lines, reading, path, asked, instance or run, endless=endless, since_ms=since_ms))
    if follow:
        return _live(streams)
    unread: list[Unreachable] = []
    lines = newest(merge([_unless_gone(s, instance, unread) for s in streams]), tail)
    if unread and len(unread) == len(streams):
        raise unread[0]
    return iter([*lines, *map(not_read, unread)])


def _lines(
    reading: Reading, path: str, query: Mapping[str, str], instance: str, *, endless: bool, since_ms: int
) -> Iterator[LogLine]:
    chunks = reading.stream(path, query, endless=endless)
    for line in split_lines(chunks):
        found = parse_line(line, instance)
        if found.at_ms >= since_ms or not found.at_ms:
            yield found


def _unless_gone(opened: Opened, instance: str, unread: list[Unreachable]) -> Iterator[LogLine]:
    """One of several pods may be removed between the list and its read; the one that was asked for may not. One whose node
    does not answer is told in ``unread``, and the others are shown."""
    try:
        yield from opened()
    except Unreachable as error:
        if instance:
            raise
        unread.append(error)
    except (NotFound, UsageError):  # "previous terminated container not found" is a bad request to the kubelet
        if instance:
            raise


def which_run(pod: Json, container: str, instance: str) -> tuple[str, bool]:
    """(id of the run to read, is it the one before the present); the kubelet keeps these two alone."""
    latest = number(status_of(pod, container), "restartCount")
    asked = parse_instance(instance)[1] if instance else None
    run = latest if asked is None else asked
    if run == latest:
        return _id(pod, run), False
    if run == latest - 1 and not _latest_is_over(pod, container):
        return _id(pod, run), True
    raise NotFound(
        f"the output of {instance!r} is no longer kept: its pod is at run {latest}, and Kubernetes keeps the last two",
        hint="see the instances that there are with: orchctl status",
    )


def _run_before(pod: Json, container: str) -> list[tuple[str, bool]]:
    latest = number(status_of(pod, container), "restartCount")
    kept = latest > 0 and not _latest_is_over(pod, container)
    return [(f"{name_of(pod)}/{latest - 1}", True)] if kept else []


def _id(pod: Json, run: int) -> str:
    return f"{name_of(pod)}/{run}" if run else name_of(pod)


def _latest_is_over(pod: Json, container: str) -> bool:
    """While a container waits for its next start, both reads answer with the run that is over."""
    status = status_of(pod, container)
    return "waiting" in part(status, "state")


def _has_run(pod: Json, container: str) -> bool:
    status = status_of(pod, container)
    state = part(status, "state")
    return "running" in state or "terminated" in state or bool(part(status, "lastState", "terminated"))


def parse_instance(instance: str) -> tuple[str, int | None]:
    """``POD/N`` -> (pod, run); the run of ``POD`` is None: the one there is. UsageError when it is neither."""
    match = _RUN.fullmatch(instance)
    if match is None or match[1] in (".", ".."):
        raise UsageError(f"{instance!r} is no instance: expected POD or POD/N")
    return match[1], int(match[2]) if match[2] else None


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends, however the chunks are cut; of a longer line than is kept, its beginning."""
    bound, rest = LONGEST_LINE + _STAMP_ROOM, bytearray()
    begun = False
    for chunk in chunks:
        *ended, last = chunk.split(b"\n")
        for piece in ended:
            rest += piece[: bound - len(rest)]
            yield bytes(rest)
            rest.clear()
            begun = False
        rest += last[: bound - len(rest)]
        begun = begun or bool(last)
    if begun:
        yield bytes(rest)


def parse_line(line: bytes | str, instance: str) -> LogLine:
    """``TIME TEXT``; what does not begin with a time is all text."""
    whole = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    stamp, _, rest = whole.partition(" ")
    at_ms = _epoch_ms(stamp)
    return LogLine(instance=instance, text=(rest if at_ms else whole).rstrip("\r")[:LONGEST_LINE], at_ms=at_ms)


def _epoch_ms(stamp: str) -> int:
    """The kubelet writes nanoseconds without trailing zeros, in its own zone; 0 = no time."""
    match = _STAMP.match(stamp)
    if match is None:
        return 0
    try:
        moment = datetime.datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
        return int(moment.timestamp()) * 1000 + int(((match[2] or "") + "000")[:3])
    except (ValueError, OverflowError):
        return 0


def _rfc3339(at_ms: int) -> str:
    """In whole seconds, as the API takes it: the rest is left out line by line."""
    return datetime.datetime.fromtimestamp(at_ms // 1000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merge(streams: Sequence[Iterator[LogLine]]) -> Iterator[LogLine]:
    """All lines by time. Each stream keeps its own order: a line without a time, or with one from before, stays
    where it stands."""
    ordered = [_keyed(stream, index) for index, stream in enumerate(streams)]
    return (line for _, _, line in heapq.merge(*ordered, key=lambda found: found[:2]))


def _keyed(stream: Iterator[LogLine], index: int) -> Iterator[tuple[int, int, LogLine]]:
    latest = 0
    for line in stream:
        latest = max(latest, line.at_ms)
        yield latest, index, line


def newest(lines: Iterable[LogLine], tail: int) -> list[LogLine]:
    """The last ``tail`` lines (0 = all), and no more than fits in MOST_BYTES of text."""
    kept: deque[LogLine] = deque()
    size = 0
    for line in lines:
        kept.append(line)
        size += len(line.text)
        while (tail and len(kept) > tail) or size > MOST_BYTES:
            size -= len(kept.popleft().text)
    return list(kept)


def follow(streams: Sequence[Opened]) -> Iterator[LogLine]:
    """Lines of live streams as they come, each stream opened and read in its own thread.

    Closing the iterator stops the threads at their next line. What one stream raises is raised when the others
    have ended.
    """
    lines: queue.Queue[LogLine | _Ended] = queue.Queue(maxsize=_WAITING_LINES)
    stopped = threading.Event()
    for opened in streams:
        threading.Thread(target=_pump, args=(opened, lines, stopped), daemon=True).start()
    failure: Exception | None = None
    running = len(streams)
    try:
        while running:
            found = lines.get()
            if isinstance(found, _Ended):
                running -= 1
                failure = failure or found.failure
            else:
                yield found
    finally:
        stopped.set()
    if failure is not None:
        raise failure


class _Ended:
    """The last thing a stream's thread says."""

    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure


def _pump(opened: Opened, lines: queue.Queue[LogLine | _Ended], stopped: threading.Event) -> None:
    failure: Exception | None = None
    try:
        stream = opened()
        try:
            for line in stream:
                if not _put(lines, line, stopped):
                    return
        finally:
            if close := getattr(stream, "close", None):
                close()
    except Exception as error:  # noqa: BLE001 - raised again by the iterator's reader
        failure = error
    _put(lines, _Ended(failure), stopped)


def _put(lines: queue.Queue[LogLine | _Ended], found: LogLine | _Ended, stopped: threading.Event) -> bool:
    """False when nobody reads any more."""
    while not stopped.is_set():
        try:
            lines.put(found, timeout=_LOOK_S)
            return True
        except queue.Full:
            continue
    return False


_live = follow  # in read() the name is taken by the contract's argument
