"""Mesos' own HTTP, as 1.9 has it: state of master and agents, files of sandboxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.marathon.agents import Agent
from tests.servers.marathon.information import FRAMEWORK
from tests.servers.marathon.instances import Instance, Task
from tests.servers.marathon.messages import Request, Response, answer
from tests.servers.marathon.observing import sandbox_of
from tests.servers.marathon.web import Listener

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine

READ_LIMIT = 16 * 4096
"""Bytes an agent returns at most for one /files/read."""


class Mesos:
    """Master and all agents. Each has an address of its own, as the ``pid`` of an agent tells clients."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._master = Listener(self._answer_master)
        self._agents = {agent.id: self._listener(agent) for agent in engine.agents}

    def _listener(self, agent: Agent) -> Listener:
        return Listener(lambda request: self._answer_agent(agent, request), host=agent.host)

    @property
    def url(self) -> str:
        return self._master.url

    def agent_url(self, agent: str) -> str:
        return self._agents[agent].url

    def start(self) -> None:
        for listener in (self._master, *self._agents.values()):
            listener.start()

    def stop(self) -> None:
        for listener in (self._master, *self._agents.values()):
            listener.stop()

    def _answer_master(self, request: Request) -> Response | Iterator[bytes]:
        with self._engine.lock:
            path = request.path.removeprefix("/master").removesuffix(".json")
            if path == "/state":
                return answer(self._master_state())
            if path == "/slaves":
                return answer(
                    {"slaves": [self._shown_agent(one) for one in self._engine.agents], "recovered_slaves": []}
                )
        return Response(404)

    def _answer_agent(self, agent: Agent, request: Request) -> Response | Iterator[bytes]:
        path = request.path
        if path.startswith("/slave("):
            path = "/" + path.partition("/")[2].partition("/")[2]
        if path.removesuffix(".json") == "/state":
            with self._engine.lock:
                return answer(self._agent_state(agent))
        if path in ("/files/read", "/files/browse"):
            return self._files(path, request)
        return Response(404)

    def _master_state(self) -> dict[str, Any]:
        tasks = [_shown_task(one, task) for one, task in self._all_tasks() if not task.is_over]
        completed = [_shown_task(one, task) for one, task in self._all_tasks() if task.is_over]
        framework = {
            "id": FRAMEWORK,
            "name": "marathon",
            "active": self._engine.has_leader,
            "connected": self._engine.has_leader,
            "role": self._engine.options.role,
            "tasks": tasks,
            "unreachable_tasks": [],
            "completed_tasks": completed,
        }
        return {
            "version": "1.9.0",
            "id": FRAMEWORK.removesuffix("-0000"),
            "pid": f"master@{self._master.address}",
            "hostname": "127.0.0.1",
            "activated_slaves": sum(one.is_up for one in self._engine.agents),
            "slaves": [self._shown_agent(one) for one in self._engine.agents],
            "frameworks": [framework],
            "completed_frameworks": [],
        }

    def _shown_agent(self, agent: Agent) -> dict[str, Any]:
        address = self._agents[agent.id].address
        return {
            "id": agent.id,
            "hostname": agent.host,
            "port": int(address.rpartition(":")[2]),
            "pid": f"slave(1)@{address}",
            "attributes": dict(agent.attributes),
            "active": agent.is_up,
            "version": "1.9.0",
            "resources": {
                "cpus": agent.cpus,
                "mem": agent.mem,
                "disk": agent.disk,
                "gpus": 0,
                "ports": "[31000-32000]",
            },
        }

    def _all_tasks(self) -> Iterator[tuple[Instance, Task]]:
        for one in self._engine.instances.values():
            if one.task and not one.task.is_over:
                yield one, one.task
        yield from self._engine.finished

    def _agent_state(self, agent: Agent) -> dict[str, Any]:
        own = [(one, task) for one, task in self._all_tasks() if task.agent is agent]
        framework = {
            "id": FRAMEWORK,
            "name": "marathon",
            "executors": [self._executor(one, task) for one, task in own if not task.is_over],
            "completed_executors": [self._executor(one, task) for one, task in own if task.is_over],
        }
        return self._shown_agent(agent) | {"frameworks": [framework], "completed_frameworks": []}

    def _executor(self, instance: Instance, task: Task) -> dict[str, Any]:
        shown = _shown_task(instance, task)
        return {
            "id": task.id,
            "source": task.id,
            "container": "latest",
            "directory": str(sandbox_of(self._engine, task)),
            "tasks": [] if task.is_over else [shown],
            "completed_tasks": [shown] if task.is_over else [],
        }

    def _files(self, path: str, request: Request) -> Response:
        wanted = Path(next(iter(request.query.get("path", ())), "")).resolve()
        if not wanted.is_relative_to(self._engine.root.resolve()) or not wanted.exists():
            return Response(404)
        return _browse(wanted) if path == "/files/browse" else _read(wanted, request)


def _shown_task(instance: Instance, task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "name": instance.path.strip("/").replace("/", "."),
        "framework_id": FRAMEWORK,
        "executor_id": "",
        "slave_id": task.agent.id,
        "state": task.state,
        "statuses": [{"state": task.state, "timestamp": task.started_at or task.staged_at}],
    }


def _read(file: Path, request: Request) -> Response:
    """``offset`` -1 asks for the size: data "" and the offset of the end."""
    if file.is_dir():
        return Response(400, b"Cannot read a directory.\n")
    offset = int(next(iter(request.query.get("offset", ())), "-1"))
    size = file.stat().st_size
    if offset == -1:
        return answer({"data": "", "offset": size})
    length = int(next(iter(request.query.get("length", ())), str(READ_LIMIT)))
    with file.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(min(length if length >= 0 else READ_LIMIT, READ_LIMIT))
    return answer({"data": data.decode(errors="replace"), "offset": offset})


def _browse(folder: Path) -> Response:
    if not folder.is_dir():
        return answer([])
    return answer([_shown_file(one) for one in sorted(folder.iterdir())])


def _shown_file(file: Path) -> dict[str, Any]:
    facts = file.stat()
    kind = "d" if file.is_dir() else "-"
    return {
        "path": str(file),
        "size": facts.st_size,
        "mtime": float(int(facts.st_mtime)),
        "mode": f"{kind}rw-r--r--",
        "nlink": facts.st_nlink,
        "uid": str(facts.st_uid),
        "gid": str(facts.st_gid),
    }
