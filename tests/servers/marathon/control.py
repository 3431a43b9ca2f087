"""What tests do to a server from outside of its API, and the truth they compare with."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.servers.marathon import rollout, updates
from tests.servers.marathon.deploying import deploy
from tests.servers.marathon.engine import HOLDS, Engine
from tests.servers.marathon.instances import Instance
from tests.servers.marathon.plan import SCALE, Action, Plan
from tests.servers.marathon.store import Root
from tests.servers.waiting import until


@dataclass(frozen=True)
class TrueTask:
    """A task as it is. ``pid`` 0 = it has no process; ``sandbox`` "" likewise."""

    id: str
    instance: str
    app: str
    state: str
    version: str
    host: str
    ports: tuple[int, ...]
    pid: int
    sandbox: str


class Control:
    """Methods of ``Marathon`` beside HTTP. Thread-safe."""

    engine: Engine

    def apps(self) -> dict[str, dict[str, Any]]:
        """Definitions by path, with ``version``."""
        with self.engine.lock:
            return {path: release.shown() for path, release in self.engine.store.root.apps.items()}

    def tasks(self, app: str = "") -> list[TrueTask]:
        """Tasks that are not over, those of deleted apps too; of all apps or of one."""
        with self.engine.lock:
            found = [one for one in self.engine.instances.values() if one.is_live and app in ("", one.path)]
            return [_true_task(one) for one in found]

    def deployments(self) -> list[dict[str, Any]]:
        with self.engine.lock:
            return [one.shown() for one in self.engine.rollouts]

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """Everything that was published so far, or all of one kind."""
        with self.engine.lock:
            return [one for one in self.engine.events.published if kind in ("", one["eventType"])]

    def delete_app(self, path: str) -> None:
        """As somebody else would, without a request to be counted; KeyError when there is none."""
        with self.engine.lock:
            target = self.engine.store.root.copy()
            target.version = self.engine.clock.version()
            del target.apps[path]
            deploy(self.engine, target, force=True)

    def advance(self, seconds: float) -> None:
        """Move the server's clock: back-off, health intervals, kill grace, simulated times. Processes feel nothing."""
        self.engine.clock.advance(seconds)
        self.engine.wake()

    def settle(self, *, seconds: float = 60.0) -> None:
        """Wait until nothing moves by itself any more; TimeoutError."""
        until("a quiet server", self._is_quiet, seconds=seconds, every=0.005)

    def _is_quiet(self) -> bool:
        with self.engine.lock:
            before = self.engine.changes
            self.engine.tick()
            return before == self.engine.changes and self.engine.is_quiet()

    def wait_deployed(self, *, seconds: float = 60.0) -> None:
        """Wait until no deployment runs; TimeoutError."""
        until("the end of all deployments", lambda: not self.deployments(), seconds=seconds, every=0.01)

    def kill_task(self, task: str, signum: int = signal.SIGKILL) -> None:
        """Send a signal to the task's process, from outside of Mesos; KeyError without such a task or process."""
        pid = next((one.pid for one in self.tasks() if one.id == task and one.pid), None)
        if pid is None:
            raise KeyError(task)
        os.killpg(pid, signum)

    def hold(self, *points: str) -> None:
        """Stop tasks on their way: "offers" launches nothing, "staging" and "starting" keep tasks in that state,
        "kills" lets nothing die of a kill. Until ``release``."""
        if unknown := set(points) - set(HOLDS):
            raise ValueError(f"no such point: {', '.join(sorted(unknown))}")
        with self.engine.lock:
            self.engine.holds |= set(points)

    def release(self, *points: str) -> None:
        """All points when none is named."""
        with self.engine.lock:
            self.engine.holds -= set(points or HOLDS)
        self.engine.wake()

    def lose_agent(self, host: str) -> None:
        """The agent is partitioned: its tasks become unreachable, their processes run on."""
        self._set_agent(host, is_up=False)

    def find_agent(self, host: str) -> None:
        """It is back, and so are its tasks, unless they were expunged: those are killed."""
        self._set_agent(host, is_up=True)

    def _set_agent(self, host: str, *, is_up: bool) -> None:
        with self.engine.lock:
            agent = next(one for one in self.engine.agents if one.host == host)
            agent.is_up = is_up
        self.engine.wake()

    def lose_task(self, task: str) -> None:
        """Mesos loses this one task for good: it is reported as TASK_LOST and its process killed."""
        with self.engine.lock:
            found = self._instance(task)
            assert found.task is not None
            if found.task.process:
                found.task.process.end()
            updates.update(self.engine, found, "TASK_LOST", "Reconciliation: Task is unknown to the agent")

    def _instance(self, task: str) -> Instance:
        found = (one for one in self.engine.instances.values() if one.task and one.task.id == task)
        return next(found)

    @contextmanager
    def foreign_deployment(self, *paths: str) -> Iterator[str]:
        """Somebody else's deployment locks these apps until the end of the block (or until it is forced away)."""
        with self.engine.lock:
            root = self.engine.store.root
            steps = [[Action(SCALE, root.apps[path]) for path in paths]]
            plan = Plan(str(uuid.uuid4()), root.version, root, Root(dict(root.apps), dict(root.groups)), steps)
            held = rollout.Rollout(self.engine, plan)
            held.is_released = False
            self.engine.rollouts.append(held)
        try:
            yield plan.id
        finally:
            held.is_released = True
            self.engine.wake()


def _true_task(instance: Instance) -> TrueTask:
    task = instance.task
    assert task is not None
    process = task.process
    return TrueTask(
        task.id,
        instance.id,
        instance.path,
        task.state,
        task.release.version,
        task.agent.host,
        tuple(task.ports),
        process.pid if process else 0,
        str(process.sandbox) if process else "",
    )


def is_write(method: str) -> bool:
    return method not in ("GET", "HEAD", "OPTIONS")
