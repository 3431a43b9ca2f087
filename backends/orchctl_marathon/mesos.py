"""As much of the Mesos HTTP API as logs need: which agents there are, where a task's sandbox is, a piece of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from orchctl.errors import Unreachable
from orchctl_marathon.client import Reading

Json = Mapping[str, Any]

PIECE = 1 << 16
"""Bytes that an agent gives at most for one question."""
REPLACED = "\ufffd"
_LONGEST_CHARACTER = 4
_KINDS = ("executors", "completed_executors")


class Agent:
    """One Mesos agent; ``url`` without a slash at the end."""

    def __init__(self, reading: Reading, url: str) -> None:
        self._reading, self._url = reading, url
        self._sandboxes: dict[str, str] | None = None

    def sandbox(self, task: str) -> str:
        """The directory of a task that runs or ran here; "" when the agent does not know it."""
        if self._sandboxes is None:
            self._sandboxes = dict(_sandboxes(self._reading.fetch(f"{self._url}/state")))
        return self._sandboxes.get(task, "")

    def size(self, path: str) -> int:
        """Bytes of a file; NotFound when it or the sandbox is gone."""
        return _count(self._read(path, -1, 0).get("offset"))

    def read(self, path: str, offset: int, length: int) -> tuple[str, int]:
        """(text, bytes) of a part that is there, at most 64 KiB. A character that its end cuts is not in it.

        The answer is text, and bytes that are none are replaced in it: so only the question tells how many bytes it is.
        """
        text, shorter = "", 0
        for shorter in range(min(_LONGEST_CHARACTER, length)):
            text = str(self._read(path, offset, length - shorter).get("data") or "")
            if not text.endswith(REPLACED):
                return text, length - shorter
        if length < _LONGEST_CHARACTER:
            return "", 0  # the rest of it may still come
        return text, length - shorter

    def _read(self, path: str, offset: int, length: int) -> Json:
        query = {"path": path, "offset": str(offset), "length": str(length)}
        return self._reading.fetch(f"{self._url}/files/read", query)


class Mesos:
    """The master, whichever of the configured ones answers."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._agents: dict[str, Agent] | None = None

    def agents(self, identity: str = "") -> list[Agent]:
        """The agent of that id, or all when it is "" or not known."""
        if self._agents is None:
            self._agents = {i: Agent(self._reading, url) for i, url in self._listed()}
        known = self._agents.get(identity)
        return [known] if known else list(self._agents.values())

    def _listed(self) -> Iterator[tuple[str, str]]:
        """A ``pid`` is ``slave(1)@10.0.0.5:5051``."""
        scheme = urlsplit(self._reading.target.mesos[0]).scheme
        for agent in self._ask("/slaves").get("slaves") or ():
            if isinstance(agent, Mapping) and "@" in str(agent.get("pid", "")):
                yield str(agent.get("id", "")), f"{scheme}://{str(agent['pid']).rpartition('@')[2]}"

    def _ask(self, path: str) -> Json:
        last: Unreachable | None = None
        for url in self._reading.target.mesos:
            try:
                return self._reading.fetch(url + path)
            except Unreachable as error:
                last = error
        assert last is not None
        raise last


def _sandboxes(state: Json) -> Iterator[tuple[str, str]]:
    """(task, directory). An executor of one task has its id; else its tasks are listed."""
    frameworks = [f for k in ("frameworks", "completed_frameworks") for f in _dicts(state.get(k))]
    for executor in (e for f in frameworks for kind in _KINDS for e in _dicts(f.get(kind))):
        folder = str(executor.get("directory", ""))
        yield str(executor.get("id", "")), folder
        for kind in ("tasks", "queued_tasks", "completed_tasks"):
            yield from ((str(t.get("id", "")), folder) for t in _dicts(executor.get(kind)))


def _dicts(value: Any) -> list[Json]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
