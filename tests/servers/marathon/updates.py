"""What Marathon does when Mesos tells it something about a task, or when it wants tasks or wants them gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.marathon.clock import text
from tests.servers.marathon.instances import (
    FAILURES,
    KILLED,
    KILLING,
    RUNNING,
    STAGING,
    STARTING,
    UNREACHABLE,
    Instance,
    Task,
    new_id,
)
from tests.servers.marathon.offers import Delay
from tests.servers.marathon.store import Release

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine


def kill(engine: Engine, instance: Instance) -> None:
    """SIGTERM; after the grace period SIGKILL. An instance without a live task is just gone, if it is doomed."""
    task = instance.task
    if task is None or task.is_over or task.state == UNREACHABLE:
        if instance.is_doomed:
            remove(engine, instance)
        return
    if task.kill_at:
        return
    task.kill_at = engine.clock.now()
    if task.process and "kills" not in engine.holds:
        task.process.terminate()
    if "task_killing" in engine.options.features and task.state == RUNNING:
        update(engine, instance, KILLING)
    engine.changed()
    engine.wake()


def doom(engine: Engine, instance: Instance) -> None:
    """Its goal is to be gone: kill it and do not relaunch it."""
    if not instance.is_doomed:
        instance.is_doomed = True
        publish_instance(engine, instance)
    kill(engine, instance)


def update(engine: Engine, instance: Instance, state: str, message: str = "") -> None:
    """A status update of Mesos, and all that Marathon does because of it."""
    task = instance.task
    assert task is not None
    task.state = state
    _publish_status(engine, instance, task, message)
    if state in FAILURES:
        note_failure(engine, instance, state, message)
    if not task.is_over:
        publish_instance(engine, instance)
        return
    _end(engine, instance, task)


def _end(engine: Engine, instance: Instance, task: Task) -> None:
    engine.ports.release(task.ports)
    engine.finished.append((instance, task))
    if instance.is_doomed or instance.is_inactive:
        remove(engine, instance)
        replace_missing(engine, instance.path)
        return
    publish_instance(engine, instance)
    if task.state != KILLED:
        _back_off(engine, instance)
    engine.revive()


def _back_off(engine: Engine, instance: Instance) -> None:
    now, app = engine.clock.now(), instance.release.app
    delay = engine.delays.setdefault(instance.release.config, Delay())
    if delay.is_stale(app, now):
        delay.step = 0.0
    delay.grow(app, now)


def note_failure(engine: Engine, instance: Instance, state: str, message: str) -> None:
    task = instance.task
    assert task is not None
    engine.store.failures[instance.path] = {
        "appId": instance.path,
        "host": task.agent.host,
        "message": message,
        "state": state,
        "taskId": task.id,
        "timestamp": text(engine.clock.now()),
        "version": task.release.version,
        "slaveId": task.agent.id,
    }


def schedule(engine: Engine, release: Release, count: int) -> list[Instance]:
    """``count`` new instances that wait for an offer."""
    made = []
    for _ in range(count):
        instance = Instance(new_id(release.path), release, engine.clock.now())
        engine.instances[instance.id] = instance
        publish_instance(engine, instance)
        made.append(instance)
    if made:
        engine.revive()
    return made


def remove(engine: Engine, instance: Instance) -> None:
    engine.instances.pop(instance.id, None)
    if instance.task and instance.task.state == UNREACHABLE:
        engine.orphans.append(instance.task)
    publish_instance(engine, instance)


def replace_missing(engine: Engine, path: str) -> None:
    """After an instance has ended outside of any deployment: have as many as the definition says."""
    release = engine.store.root.apps.get(path)
    if release is None or engine.locks_of([path]):
        return
    held = sum(not one.is_doomed and not one.is_inactive for one in engine.of_app(path))
    schedule(engine, release, max(0, release.instances - held))


_WEIGHTS = {STAGING: 2, STARTING: 3, RUNNING: 4}
_UNREACHABLE_WEIGHT, _OTHER_WEIGHT = 1, 5


def in_kill_order(instances: list[Instance]) -> list[Instance]:
    """Unreachable, staging, starting, running, and only then those without a task; among equals by ``killSelection``.

    ScalingProposition.sortByConditionAndDate of 1.8 to 1.11: health is not looked at, and what waits for a place or in
    its back-off goes last, after instances that serve.
    """

    def rank(one: Instance) -> tuple[int, float]:
        at = one.task.started_at or one.task.staged_at if one.task else one.scheduled_at
        oldest_first = one.release.app["killSelection"] == "OLDEST_FIRST"
        state = one.task.state if one.task else ""
        weight = _UNREACHABLE_WEIGHT if state == UNREACHABLE else _WEIGHTS.get(state, _OTHER_WEIGHT)
        return (weight, at if oldest_first else -at)

    return sorted(instances, key=rank)


def publish_instance(engine: Engine, instance: Instance) -> None:
    engine.changed()
    task = instance.task
    engine.events.publish(
        "instance_changed_event",
        instanceId=instance.id,
        condition=instance.condition(),
        runSpecId=instance.path,
        agentId=task.agent.id if task else None,
        host=task.agent.host if task else None,
        runSpecVersion=instance.release.version,
        timestamp=text(engine.clock.now()),
    )


def _publish_status(engine: Engine, instance: Instance, task: Task, message: str) -> None:
    engine.changed()
    engine.events.publish(
        "status_update_event",
        slaveId=task.agent.id,
        taskId=task.id,
        taskStatus=task.state,
        message=message,
        appId=instance.path,
        host=task.agent.host,
        ipAddresses=[{"ipAddress": task.address, "protocol": "IPv4"}],
        ports=task.ports,
        version=task.release.version,
    )
