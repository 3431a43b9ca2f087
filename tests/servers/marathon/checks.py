"""When health and readiness checks are due, and what their results change."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.servers.marathon import health, updates
from tests.servers.marathon.health import Result, Target, is_by_mesos
from tests.servers.marathon.instances import KILLED, RUNNING, Health, Instance, Task

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine


@dataclass(frozen=True)
class Key:
    """One check of one task. ``index`` counts health checks; a readiness check has ``name`` instead."""

    instance: str
    task: str
    index: int
    name: str = ""


class Checks:
    """Performs checks in threads of their own; results are applied by ``step``, under the engine's lock."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._running: set[Key] = set()
        self._results: deque[tuple[Key, Result]] = deque()

    def step(self, engine: Engine) -> None:
        while self._results:
            key, result = self._results.popleft()
            self._running.discard(key)
            if instance := _instance_of(engine, key):
                _apply(engine, instance, key, result)
        wanted = dict(_wanted(engine))
        self._due = {key: due for key, due in self._due.items() if key in wanted}
        for key, (instance, check) in wanted.items():
            self._consider(engine, key, instance, check)

    def are_due(self, engine: Engine) -> bool:
        """Is one being performed, or will the next step perform one?"""
        now = engine.clock.now()
        if self._running or self._results:
            return True
        return any(self._due.get(key, _first(instance, check)) <= now for key, (instance, check) in _wanted(engine))

    def _consider(self, engine: Engine, key: Key, instance: Instance, check: Mapping[str, Any]) -> None:
        now = engine.clock.now()
        due = self._due.setdefault(key, _first(instance, check))
        if key in self._running or now < due:
            return
        assert instance.task is not None
        self._due[key] = now + max(check["intervalSeconds"] / engine.options.check_haste, 0.02)
        told = None if key.name else _simulated_result(engine, instance.task, check)
        if told is not None:
            self._due[key] = _next_simulated(engine, instance.task)
            _apply(engine, instance, key, told)
            return
        self._running.add(key)
        target = health.target_of(check, instance.task)
        threading.Thread(target=self._perform, args=(engine, key, target), daemon=True).start()

    def _perform(self, engine: Engine, key: Key, target: Target) -> None:
        result = health.perform(target)
        self._results.append((key, result))
        engine.wake()


def _instance_of(engine: Engine, key: Key) -> Instance | None:
    """None when that task is over: a late result must not count for its successor."""
    instance = engine.instances.get(key.instance)
    same = instance and instance.task and instance.task.id == key.task and instance.task.state == RUNNING
    return instance if same else None


def _first(instance: Instance, check: Mapping[str, Any]) -> float:
    """Mesos waits for ``delaySeconds``; Marathon's own checks know no delay."""
    assert instance.task is not None
    by_mesos = "portName" not in check and is_by_mesos(check)
    return instance.task.started_at + (check["delaySeconds"] if by_mesos and instance.task.process else 0)


def _wanted(engine: Engine) -> Iterator[tuple[Key, tuple[Instance, Mapping[str, Any]]]]:
    for instance in engine.instances.values():
        task = instance.task
        if task is None or task.state != RUNNING:
            continue
        for index, check in enumerate(instance.release.app.get("healthChecks", [])):
            yield Key(instance.id, task.id, index), (instance, check)
        for check in instance.release.app.get("readinessChecks", []):
            # Only while it is being deployed, and only until it has answered well once.
            if not task.ready.get(check["name"], {}).get("ready") and engine.locks_of([instance.path]):
                yield Key(instance.id, task.id, 0, check["name"]), (instance, check)


def _simulated_result(engine: Engine, task: Task, check: Mapping[str, Any]) -> Result | None:
    """What the labels say, or "well" for a task without a process; None = really check."""
    if not is_by_mesos(check):
        return None
    kind, after = task.fate()
    if kind == "unhealthy" or (kind == "lateHealthy" and engine.clock.now() < task.started_at + after):
        return Result("simulated")
    return Result() if kind == "lateHealthy" or task.process is None else None


def _next_simulated(engine: Engine, task: Task) -> float:
    """Mesos reports changes only."""
    kind, after = task.fate()
    at = task.started_at + after
    return at if kind == "lateHealthy" and engine.clock.now() < at else float("inf")


def _apply(engine: Engine, instance: Instance, key: Key, result: Result) -> None:
    assert instance.task is not None
    engine.changed()
    if key.name:
        _apply_readiness(instance.task, key.name, result, instance)
    else:
        _apply_health(engine, instance, instance.task, key.index, result)


def _apply_readiness(task: Task, name: str, result: Result, instance: Instance) -> None:
    shown: dict[str, Any] = {"name": name, "taskId": task.id, "ready": not result.cause}
    check = next(one for one in instance.release.app["readinessChecks"] if one["name"] == name)
    if check["preserveLastResponse"] and result.response:
        shown["lastResponse"] = result.response
    task.ready[name] = shown


def _apply_health(engine: Engine, instance: Instance, task: Task, index: int, result: Result) -> None:
    check = instance.release.app["healthChecks"][index]
    was = task.health.get(index)
    known = task.health.setdefault(index, Health())
    before = known.alive
    if not result.cause:
        _succeed(known, engine.clock.now())
    elif known.first_success or engine.clock.now() >= task.started_at + check["gracePeriodSeconds"]:
        _fail(engine, instance, known, check, result.cause)
    if was is None or before != known.alive:
        _publish_change(engine, instance, known, is_first=was is None)
    if known.failures and known.failures >= check["maxConsecutiveFailures"]:
        _kill_unhealthy(engine, instance, task, check, known)


def _succeed(known: Health, now: float) -> None:
    known.alive, known.failures, known.last_success, known.cause = True, 0, now, ""
    known.first_success = known.first_success or now


def _fail(engine: Engine, instance: Instance, known: Health, check: Mapping[str, Any], cause: str) -> None:
    known.alive, known.failures, known.last_failure, known.cause = False, known.failures + 1, engine.clock.now(), cause
    engine.events.publish(
        "failed_health_check_event", appId=instance.path, eventType="", healthCheck=check, taskId=instance.id
    )


def _publish_change(engine: Engine, instance: Instance, known: Health, *, is_first: bool) -> None:
    version = instance.release.version
    if not is_first:
        engine.events.publish(
            "health_status_changed_event",
            appId=instance.path,
            instanceId=instance.id,
            version=version,
            alive=known.alive,
        )
    engine.events.publish(
        "instance_health_changed_event",
        instanceId=instance.id,
        runSpecId=instance.path,
        healthy=known.alive,
        runSpecVersion=version,
        timestamp="",
    )


def _kill_unhealthy(engine: Engine, instance: Instance, task: Task, check: Mapping[str, Any], known: Health) -> None:
    """Mesos' executor kills by itself, and nothing but TASK_KILLED tells; Marathon notes why it killed.

    ``maxConsecutiveFailures`` 0: Mesos kills at the first failure, Marathon never.
    """
    if task.kill_at:
        return
    if is_by_mesos(check):
        updates.kill(engine, instance)
        return
    if not check["maxConsecutiveFailures"]:
        return
    message = f"Task was killed since health check failed. Reason: {known.cause}"
    updates.note_failure(engine, instance, KILLED, message)
    engine.events.publish(
        "unhealthy_instance_kill_event",
        appId=instance.path,
        taskId=task.id,
        instanceId=instance.id,
        version=task.release.version,
        reason=known.cause,
        host=task.agent.host,
        slaveId=task.agent.id,
    )
    updates.kill(engine, instance)
