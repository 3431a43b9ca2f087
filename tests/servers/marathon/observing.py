"""Looks at tasks and their processes, and tells Marathon what has become of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.marathon.instances import (
    FAILED,
    FINISHED,
    KILLED,
    RUNNING,
    STAGING,
    STARTING,
    UNREACHABLE,
    Instance,
    Task,
)
from tests.servers.marathon.processes import NoImage, TaskProcess, command_of, environment_of, message_of
from tests.servers.marathon.updates import doom, in_kill_order, publish_instance, remove, replace_missing, update

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine

KILL_GRACE_SECONDS = 3.0
"""Mesos' own, for apps without ``taskKillGracePeriodSeconds``."""

TERMINATED = "Command terminated with signal Terminated"


def observe(engine: Engine) -> None:
    """One look at every task."""
    _end_orphans(engine)
    for instance in list(engine.instances.values()):
        if instance.task and not instance.task.is_over:
            _observe_task(engine, instance, instance.task)


def _end_orphans(engine: Engine) -> None:
    for task in [one for one in engine.orphans if one.agent.is_up]:
        engine.orphans.remove(task)
        if task.process:
            task.process.end()
        engine.ports.release(task.ports)
        engine.changed()


def is_moving(engine: Engine, instance: Instance) -> bool:
    """Will the next looks at it change something, without time passing?"""
    task = instance.task
    if task is None or task.is_over:
        return False
    if task.kill_at:
        return "kills" not in engine.holds and task.process is None
    holds = {STAGING: "staging", STARTING: "starting"}
    return task.state in holds and holds[task.state] not in engine.holds


def _observe_task(engine: Engine, instance: Instance, task: Task) -> None:
    if task.state == UNREACHABLE:
        _observe_lost(engine, instance, task)
    elif not task.agent.is_up:
        _mark_lost(engine, instance)
    elif task.kill_at:
        _observe_kill(engine, instance, task)
    elif task.state == STAGING and "staging" not in engine.holds:
        _start(engine, instance, task)
    elif task.state == STARTING and "starting" not in engine.holds:
        _begin_running(engine, instance, task)
    elif task.state == RUNNING:
        _observe_running(engine, instance, task)


def _start(engine: Engine, instance: Instance, task: Task) -> None:
    if engine.options.processes and task.fate()[0] != "fail":
        sandbox = sandbox_of(engine, task)
        try:
            command = command_of(task.release.app, engine.options.images, task.ports)
            task.process = TaskProcess(command, environment_of(instance, task, sandbox), sandbox)
        except NoImage as reason:
            update(engine, instance, FAILED, str(reason))
            return
        except OSError as error:
            update(engine, instance, FAILED, f"Failed to launch container: {error}")
            return
    update(engine, instance, STARTING)


def sandbox_of(engine: Engine, task: Task) -> Path:
    return engine.root / task.agent.id / "executors" / task.id / "runs" / "latest"


def _begin_running(engine: Engine, instance: Instance, task: Task) -> None:
    if task.fate()[0] == "fail":
        update(engine, instance, FAILED, message_of(1))
        return
    task.started_at = engine.clock.now()
    update(engine, instance, RUNNING)


def _observe_running(engine: Engine, instance: Instance, task: Task) -> None:
    kind, after = task.fate()
    if kind in ("crash", "finish") and engine.clock.now() >= task.started_at + after:
        if task.process:
            task.process.end()
        state, status = (FAILED, 1) if kind == "crash" else (FINISHED, 0)
        update(engine, instance, state, message_of(status))
        return
    status_now = task.process.poll() if task.process else None
    if status_now is not None:
        update(engine, instance, FINISHED if status_now == 0 else FAILED, _ended(task, status_now))


def _ended(task: Task, status: int) -> str:
    """The Docker executor sees only the exit status of ``docker run``."""
    if (task.release.app.get("container") or {}).get("type") == "DOCKER":
        return f"Container exited with status {status if status >= 0 else 128 - status}"
    return message_of(status)


def _observe_kill(engine: Engine, instance: Instance, task: Task) -> None:
    if "kills" in engine.holds:
        return
    process = task.process
    if process is None:
        update(engine, instance, KILLED, TERMINATED)
        return
    status = process.poll()
    if status is not None:
        update(engine, instance, KILLED, _ended(task, status))
        return
    grace = task.release.app.get("taskKillGracePeriodSeconds", KILL_GRACE_SECONDS)
    if engine.clock.now() >= task.kill_at + grace:
        process.kill()
    else:
        process.terminate()


def _mark_lost(engine: Engine, instance: Instance) -> None:
    """Mesos has lost the task's agent."""
    task = instance.task
    assert task is not None
    task.unreachable_since = engine.clock.now()
    update(engine, instance, UNREACHABLE, "Agent is unreachable")


def _observe_lost(engine: Engine, instance: Instance, task: Task) -> None:
    strategy = instance.release.app["unreachableStrategy"]
    if task.agent.is_up:
        _return(engine, instance, task)
        return
    if strategy == "disabled":
        return
    away = engine.clock.now() - task.unreachable_since
    if away >= strategy["inactiveAfterSeconds"] and not instance.is_inactive:
        instance.is_inactive = True
        publish_instance(engine, instance)
        replace_missing(engine, instance.path)
    if away >= strategy["expungeAfterSeconds"]:
        remove(engine, instance)


def _return(engine: Engine, instance: Instance, task: Task) -> None:
    """The agent is back; a task that was replaced meanwhile is surplus, and the youngest goes."""
    instance.is_inactive = False
    update(engine, instance, RUNNING)
    release = engine.store.root.apps.get(instance.path)
    kept = [one for one in engine.of_app(instance.path) if not one.is_doomed]
    surplus = len(kept) - (release.instances if release else 0)
    for one in in_kill_order(kept)[: max(0, surplus)]:
        doom(engine, one)
