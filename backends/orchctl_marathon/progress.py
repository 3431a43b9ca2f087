"""An app, its tasks and its place in the launch queue -> what the engine judges. Pure.

A task is current when it was launched under the app's last change of configuration or later, as Marathon itself has it:
a scale moves the app's version and no task's. That a deployment is gone proves nothing; it also goes when cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from orchctl.core.rollout import FailureKind, Instance, InstanceState, Problem, Progress
from orchctl_marathon.careful import Crowd, asked_of
from orchctl_marathon.incarnations import former_launch, is_made_before, launch_of, slot_of
from orchctl_marathon.names import TEMPLATE
from orchctl_marathon.normalise import replicas_of
from orchctl_marathon.problems import is_held_back, problem_of, unplaced

Json = Mapping[str, Any]
Older = Mapping[str, Json]
"""Former definitions of an app, by version."""

NONE_OLDER: Older = MappingProxyType({})
_STATES = {
    "TASK_STAGING": InstanceState.PENDING,
    "TASK_STARTING": InstanceState.STARTING,
    "TASK_RUNNING": InstanceState.RUNNING,
    "TASK_KILLING": InstanceState.STOPPING,
    "TASK_UNREACHABLE": InstanceState.STARTING,
    "TASK_UNKNOWN": InstanceState.STARTING,
}
"""Everything else has no process: failed, finished, killed, lost, gone."""


def observe(
    app: Json | None, queued: Json | None = None, *, older: Older = NONE_OLDER, leaving: Sequence[Instance] = ()
) -> Progress:
    """One look. ``queued``: the app's item of ``/v2/queue``; ``older``: what ``doubtful_versions`` names. ``app`` None:
    it is gone, and ``leaving`` is what still stops."""
    if app is None:
        return Progress(template_hash="", replicas=0, instances=tuple(leaving))
    instances = _instances(app, queued, older)
    deploying = bool(app.get("deployments"))
    outdated = any(not i.current and i.state is not InstanceState.STOPPING for i in instances)
    missing = next((i.problem for i in instances if i.state is InstanceState.PENDING and i.problem), None)
    return Progress(
        template_hash=template_of(app),
        expect=expect_of(app),
        replicas=count_of(app),
        instances=tuple(instances),
        settled=not deploying,
        paused=outdated and not deploying,
        note=missing.message if missing else "",
    )


def expect_of(app: Json) -> str:
    """Only writes of a definition or a count move it; deployments and tasks do not."""
    return str(app.get("version", ""))


def template_of(app: Json) -> str:
    return str((app.get("labels") or {}).get(TEMPLATE, ""))


def config_version(app: Json) -> str:
    """When the definition last changed in more than its count: ISO 8601 UTC, comparable as text."""
    return str((app.get("versionInfo") or {}).get("lastConfigChangeAt") or app.get("version") or "")


def tasks_of(app: Json) -> list[Json]:
    return [t for t in app.get("tasks") or () if isinstance(t, Mapping) and t.get("id")]


def needs_queue(app: Json) -> bool:
    """Something is missing that the launch queue may explain."""
    alive = [t for t in tasks_of(app) if _STATES.get(str(t.get("state"))) is not None and is_current(app, t)]
    return len(alive) < replicas_of(app)


def crowd_of(app: Json, queued: Json, older: Older = NONE_OLDER) -> Crowd:
    """Every instance that has a task which is not over, and every one that waits for its launch."""
    alive = [t for t in tasks_of(app) if _STATES.get(str(t.get("state"))) not in (None, InstanceState.STOPPING)]
    waiting = queued.get("count")
    ready = sum(t.get("state") == "TASK_RUNNING" and is_alive(definition_of(app, t, older), t) for t in alive)
    return Crowd(counted=len(alive) + (waiting if isinstance(waiting, int) else 0), ready=ready)


def is_unfinished(app: Json) -> bool:
    """Instances of an older definition are still there."""
    gone = (None, InstanceState.STOPPING)
    return any(_STATES.get(str(t.get("state"))) not in gone and not is_current(app, t) for t in tasks_of(app))


def count_of(app: Json) -> int:
    """How many were asked for. What stands half done may have been sent with more, to keep what serves (careful.py)."""
    asked = None if app.get("deployments") or not is_unfinished(app) else asked_of(app)
    return replicas_of(app) if asked is None else asked


def is_current(app: Json, task: Json) -> bool:
    """One in back-off has no version. Where it was made before the present definition and did not fail under it, it waits
    to be replaced, and the number of its launches says nothing of this definition."""
    if task.get("version"):
        return str(task["version"]) >= config_version(app)
    identity = str(task["id"])
    return not is_made_before(identity, config_version(app)) or _is_of(identity, _failure_of_this_definition(app))


def _is_of(identity: str, failure: Json | None) -> bool:
    """Is it the instance that failed?"""
    return failure is not None and launch_of(str(failure.get("taskId", "")))[0] == launch_of(identity)[0]


def definition_of(app: Json, task: Json, older: Older) -> Json | None:
    """What the task was launched under; None where that is not known."""
    return app if is_current(app, task) else older.get(str(task.get("version", "")))


def doubtful_versions(app: Json) -> set[str]:
    """Those of old tasks that say nothing about their health: it depends on a definition that is not the present one
    whether they have a check."""
    old = (t for t in tasks_of(app) if t.get("state") == "TASK_RUNNING" and not is_current(app, t))
    return {str(t["version"]) for t in old if not t.get("healthCheckResults")} if app.get("healthChecks") else set()


def _instances(app: Json, queued: Json | None, older: Older) -> list[Instance]:
    """Those that exist, and one for each that waits for a place."""
    failure = _failure_of_this_definition(app)
    held_back = is_held_back(queued)
    found = [_instance(app, task, failure, older, held_back=held_back) for task in tasks_of(app)]
    found = [i for i in found if i.current or i.state is not InstanceState.EXITED]
    waiting = replicas_of(app) - sum(i.current for i in found)
    if any(_is_of(i.id, failure) for i in found):
        failure = None  # its own instance has it; those that wait have not failed
    return [*found, *_waiting(app, queued, failure, waiting, held_back=held_back)]


def _failure_of_this_definition(app: Json) -> Json | None:
    failure = app.get("lastTaskFailure")
    if not isinstance(failure, Mapping) or str(failure.get("version", "")) < config_version(app):
        return None
    return failure


def _instance(app: Json, task: Json, failure: Json | None, older: Older, *, held_back: bool) -> Instance:
    identity, current = str(task["id"]), is_current(app, task)
    alive = is_alive(definition_of(app, task, older), task)
    state = _state(app, task, alive=alive)
    failure = _ended_well(task) or failure or _killed_by_check(app, task)
    exits = _exits(identity, state) if current and failure is not None else 0
    problem = _problem(task, state, failure if exits else None)
    return Instance(
        id=identity,
        slot=slot_of(identity),
        node=str(task.get("host", "")),
        template_hash=template_of(app) if current else "",
        current=current,
        state=state,
        ready=state is InstanceState.RUNNING and alive,
        exits=exits,
        held_back=held_back and state is InstanceState.EXITED,
        problem=problem if current else None,
        log_id=str(failure["taskId"]) if problem and exits and failure and failure.get("taskId") else "",
    )


def _ended_well(task: Json) -> Json | None:
    """Marathon takes the end of a process with code 0 for no failure, and launches it again (08-deployments/549)."""
    return {"state": "TASK_FINISHED", "taskId": task["id"]} if task.get("state") == "TASK_FINISHED" else None


def _killed_by_check(app: Json, task: Json) -> Json | None:
    """Mesos kills a task whose check fails, and Marathon launches it again and notes no failure (1.8): nothing but the
    number in its id tells. One in back-off has ended under another definition."""
    former = former_launch(str(task["id"]))
    if not app.get("healthChecks") or not task.get("version") or not former:
        return None
    message = "the task was killed, and Marathon notes no failure: its health check failed, most likely"
    return {"state": "TASK_KILLED", "taskId": former, "message": message}


def _exits(identity: str, state: InstanceState) -> int:
    return launch_of(identity)[1] - 1 + (state is InstanceState.EXITED)


def _state(app: Json, task: Json, *, alive: bool) -> InstanceState:
    state = _STATES.get(str(task.get("state")), InstanceState.EXITED)
    if state is InstanceState.RUNNING and not (_was_alive(task) or alive):
        return InstanceState.STARTING
    return InstanceState.STARTING if state is InstanceState.RUNNING and _awaits_readiness(app, task) else state


def is_alive(definition: Json | None, task: Json) -> bool:
    """Every health check of its definition is good; results are missing at first, which is not good. Of a definition
    that is not known, the results that there are count."""
    results = [r for r in task.get("healthCheckResults") or () if isinstance(r, Mapping)]
    checks = results if definition is None else definition.get("healthChecks") or ()
    return not checks or (len(results) >= len(checks) and all(r.get("alive") is True for r in results))


def _was_alive(task: Json) -> bool:
    return any(isinstance(r, Mapping) and r.get("firstSuccess") for r in task.get("healthCheckResults") or ())


def _awaits_readiness(app: Json, task: Json) -> bool:
    """Readiness is asked while a deployment runs, of the tasks that it started: a change of the count has no results of
    those that were there before (ReadinessBehavior of 1.8)."""
    if not app.get("readinessChecks") or not app.get("deployments") or not is_current(app, task):
        return False
    results = [r for r in app.get("readinessCheckResults") or () if isinstance(r, Mapping)]
    own = [r for r in results if r.get("taskId") == task["id"]]
    was_there = not own and str(task.get("version") or "") < expect_of(app)
    return not was_there and not any(r.get("ready") is True for r in own)


def _problem(task: Json, state: InstanceState, failure: Json | None) -> Problem | None:
    if str(task.get("state")) == "TASK_UNREACHABLE":
        return Problem(kind=FailureKind.CRASHED, message="its agent does not answer", transient=True)
    if state is InstanceState.RUNNING or failure is None:
        return _failing(task)
    return problem_of(failure)


def _failing(task: Json) -> Problem | None:
    """Its health check failed the last time it was made."""
    results = [r for r in task.get("healthCheckResults") or () if isinstance(r, Mapping)]
    bad = next((r for r in results if r.get("alive") is False and r.get("consecutiveFailures")), None)
    if bad is None:
        return None
    times = f"its health check failed {bad['consecutiveFailures']} times in a row"
    cause = str(bad.get("lastFailureCause") or "")
    return Problem(kind=FailureKind.UNHEALTHY, message=f"{times}: {cause}" if cause else times)


def _waiting(app: Json, queued: Json | None, failure: Json | None, count: int, *, held_back: bool) -> list[Instance]:
    """Instances without a task: nothing offered yet, everything refused, or a launch put off."""
    if count <= 0 or queued is None:
        return []
    problem = None if held_back else unplaced(queued)
    if held_back and failure is not None:
        problem = problem_of(failure)
    state = InstanceState.EXITED if held_back and failure is not None else InstanceState.PENDING
    exits = int(state is InstanceState.EXITED)
    log_id = str(failure.get("taskId", "")) if exits and failure else ""
    return [
        Instance(
            id=f"{app.get('id')}/waiting-{n}",
            template_hash=template_of(app),
            state=state,
            exits=exits,
            held_back=bool(exits),
            problem=problem,
            log_id=log_id,
        )
        for n in range(count)
    ]
