"""Output of tasks through the Mesos agents' files API: Marathon itself keeps none.

The master's ``/slaves`` gives the agent's address, the agent's ``/state`` the sandbox of a task, ``/files/read`` a piece
of ``stdout`` or ``stderr``. Lines have no times there, so the streams are given one after the other, each in its own
order; the last lines of all are the last ones of each, since nobody can say which are the latest.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchctl.core.endpoint import LogLine, not_read
from orchctl.errors import NotFound, Unreachable, UsageError
from orchctl_marathon.client import Reading
from orchctl_marathon.mesos import PIECE, REPLACED, Agent, Mesos
from orchctl_marathon.progress import tasks_of

Json = Mapping[str, Any]

LONGEST_LINE = 64 * 1024
"""Characters; the rest of a longer one is not shown."""
_STREAMS = ("stdout", "stderr")
_MOST_BYTES = 16 << 20
"""Of one stream that is read from its beginning."""
_FOLLOW_S = 0.5
_LOOK_S = 5.0
"""Between two looks for instances that are new."""


@dataclass
class _Source:
    """One stream of one task, and how far it has been read."""

    task: str
    stream: str
    agent: Agent
    path: str
    offset: int = 0
    rest: str = field(default="", repr=False)

    def skip_to_end(self) -> None:
        """To the last of it, where it is large. NotFound when there is no such file."""
        self.offset = max(0, self.agent.size(self.path) - _MOST_BYTES)

    def skip_to_last(self, count: int) -> None:
        """To where ``count`` lines or some more follow, found from the end; a longest line is not looked for in full."""
        size = start = self.agent.size(self.path)
        lowest, ends = max(0, size - min(_MOST_BYTES, (count + 1) * LONGEST_LINE)), 0
        while start > lowest and ends <= count:
            end, start = start, max(lowest, start - PIECE)
            ends += self.agent.read(self.path, start, end - start)[0].count("\n")
        self.offset = start

    def lines(self) -> Iterator[LogLine]:
        """Whole lines that have come since."""
        while data := self._next():
            *whole, rest = (self.rest + data).split("\n")
            self.rest = rest[:LONGEST_LINE]
            yield from (self._line(text) for text in whole)

    def last(self) -> Iterator[LogLine]:
        """What has no line end, when no more will come."""
        left = self.agent.size(self.path) - self.offset
        self.rest += REPLACED * (left > 0)  # a character that was never finished
        if self.rest:
            yield self._line(self.rest)
            self.rest = ""

    def _next(self) -> str:
        """A piece of what has come; "" when there is none, or no whole character."""
        size = self.agent.size(self.path)
        if size < self.offset:  # a new file of the same name: it was rotated
            self.offset = 0
        if size == self.offset:
            return ""
        data, count = self.agent.read(self.path, self.offset, min(PIECE, size - self.offset))
        self.offset += count
        return data

    def _line(self, text: str) -> LogLine:
        return LogLine(instance=self.task, text=text[:LONGEST_LINE].rstrip("\r"), stream=self.stream)


Look = Callable[[], Json]


def read(
    reading: Reading, app: Json, instance: str, *, tail: int, since_ms: int, follow: bool, again: Look | None = None
) -> Iterator[LogLine]:
    """Lines of one task, or of all of an app's. ``again``: how to see tasks that are new, while they are followed.
    UsageError when the context does not say where Mesos is, or a time is asked for, which Mesos does not note."""
    if not reading.target.mesos:
        raise UsageError(
            "Marathon keeps no output of its tasks",
            hint='set mesos = "http://MASTER:5050" in the context: the output is then read from the agents',
        )
    if since_ms:
        raise UsageError("Mesos does not note when a line was written", hint="use --tail instead of --since")
    sources, unread = _sources(Mesos(reading), app, instance)
    if unread and (instance or not sources):
        raise unread[0]
    if instance and not sources:
        raise NotFound(f"the agents have no output of task {instance!r}", hint="they keep it for a while after its end")
    look = again or dict
    if follow:
        return _follow(sources, tail, lambda: _sources(Mesos(reading), look(), "")[0])
    lines = _last(sources, tail, _Source.last) if tail else _whole(sources, _Source.last)
    return itertools.chain(lines, map(not_read, unread))


def _sources(mesos: Mesos, app: Json, instance: str) -> tuple[list[_Source], list[Unreachable]]:
    """The streams, and why those of some tasks cannot be had: an agent that does not answer hides nothing of others."""
    wanted = (
        [(instance, _agent_of(app, instance))]
        if instance
        else [(str(t["id"]), t.get("slaveId")) for t in tasks_of(app)]
    )
    found: list[_Source] = []
    unread: list[Unreachable] = []
    for task, agent_id in wanted:
        try:
            for agent in mesos.agents(str(agent_id or "")):
                if folder := agent.sandbox(task):
                    found += [_Source(task, stream, agent, f"{folder}/{stream}") for stream in _STREAMS]
                    break
        except Unreachable as error:
            unread.append(error)
    return found, unread


def _agent_of(app: Json, task: str) -> str:
    """Where it runs, or ran when it was the last to fail; "" = any agent may have it."""
    known = {str(t["id"]): str(t.get("slaveId") or "") for t in tasks_of(app)}
    failure = app.get("lastTaskFailure") or {}
    return known.get(task) or (str(failure.get("slaveId") or "") if failure.get("taskId") == task else "")


End = Callable[[_Source], Iterable[LogLine]]
"""What becomes of a line that has no end yet."""


def _whole(sources: Sequence[_Source], end: End) -> Iterator[LogLine]:
    """One after the other, as they are read."""
    for source in sources:
        with contextlib.suppress(NotFound):  # there is no such stream
            source.skip_to_end()
            yield from source.lines()
            yield from end(source)


def _last(sources: Sequence[_Source], tail: int, end: End) -> Iterator[LogLine]:
    """``tail`` lines in all, the last ones of each stream, in equal parts as far as they have as many."""
    found: list[list[LogLine]] = []
    for source in sources:
        own: deque[LogLine] = deque(maxlen=tail)
        with contextlib.suppress(NotFound):
            source.skip_to_last(tail)
            own.extend(source.lines())
            own.extend(end(source))
        found.append([*own])
    for lines, share in zip(found, shares([len(lines) for lines in found], tail), strict=True):
        yield from lines[len(lines) - share :]


def shares(counts: Sequence[int], total: int) -> list[int]:
    """``total`` divided equally among those that have ``counts``; what is left over goes to the last of them, since
    errors stand there."""
    given, left = [0] * len(counts), total
    while wanting := [i for i in reversed(range(len(counts))) if given[i] < counts[i]]:
        each = min(left // len(wanting), *(counts[i] - given[i] for i in wanting))
        for i in wanting if each else wanting[:left]:
            given[i] += each or 1
        left -= each * len(wanting)
        if not each:
            break
    return given


def _follow(sources: Sequence[_Source], tail: int, look: Callable[[], list[_Source]]) -> Iterator[LogLine]:
    """What there is, and then what comes, until the reader has enough or nothing can be asked any more."""
    yield from _last(sources, tail, lambda _: ()) if tail else _whole(sources, lambda _: ())
    known, due = {s.task for s in sources}, time.monotonic() + _LOOK_S
    while sources:
        time.sleep(_FOLLOW_S)
        if time.monotonic() >= due:
            new = [s for s in _seen(look) if s.task not in known]
            sources, known, due = [*sources, *new], known | {s.task for s in new}, time.monotonic() + _LOOK_S
        for source in sources:
            try:
                yield from source.lines()
            except NotFound:
                sources = [s for s in sources if s is not source]
            except Unreachable:
                continue  # the agent may come back; a log that is followed ends by the user


def _seen(look: Callable[[], list[_Source]]) -> list[_Source]:
    """Nothing while somebody does not answer: the next look may see more."""
    try:
        return look()
    except (NotFound, Unreachable):
        return []
