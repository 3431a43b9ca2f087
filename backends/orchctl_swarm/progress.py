"""Service, tasks and nodes as the API shows them -> what the engine judges. Pure.

A task is current when its spec equals the service's TaskTemplate, as the swarm's own updater has it;
``UpdateStatus`` is not asked for that, since it is absent after a create, a scale and a no-op.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchctl.core.rollout import FailureKind, Instance, InstanceState, Problem, Progress
from orchctl_swarm.names import PAUSED, TEMPLATE
from orchctl_swarm.normalise import replicas_of
from orchctl_swarm.problems import problem_of

Json = Mapping[str, Any]

_PLACED = ("assigned", "accepted", "preparing", "ready", "starting")
_UNPLACED = ("new", "allocated", "pending")
ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
_EXITED_BY_ITSELF = ("complete", "failed", "orphaned")
_UPDATING = ("updating", "rollback_started")
_PAUSED = ("paused", "rollback_paused")


@dataclass(frozen=True, slots=True)
class Nodes:
    """Names and states by node ID."""

    names: Mapping[str, str]
    down: frozenset[str] = frozenset()


def observe(service: Json | None, tasks: Sequence[Json], nodes: Nodes, *, expect: str = "") -> Progress:
    """One look. ``service`` None: it is gone, and ``tasks`` are what still stops."""
    if service is None:
        stopping = [_instance(t, nodes, current=False) for t in tasks if _still_runs(t, nodes)]
        return Progress(template_hash="", replicas=0, instances=tuple(stopping))
    found = _instances(service, tasks, nodes)
    spec, state = service["Spec"], _update_state(service)
    held = PAUSED in (spec.get("Labels") or {})
    return Progress(
        template_hash=template_of(spec["TaskTemplate"]),
        expect=expect,
        replicas=replicas_of(spec),
        instances=tuple(found),
        settled=held or state not in _UPDATING,
        verdict=_verdict(service, tasks, held=held),
        paused=held or state in _PAUSED,
        stalled="" if held or state in (*_UPDATING, *_PAUSED) else _doubled(service, tasks),
        note=next((t["Status"]["Err"] for t in tasks if state_of(t) == "pending" and t["Status"].get("Err")), ""),
    )


def _doubled(service: Json, tasks: Sequence[Json]) -> str:
    """Slots that more than one task is to run in, in words.

    An update that starts the new task first counts on stopping the one it replaces. When that one ends by itself
    meanwhile, it is restarted, from the new definition too, and nobody stops either of the two (moby/swarmkit#2242). At
    the end of its update the engine looks at each slot once more, and overlooks it in one case of eight (measured on 20.10).
    Reminded, it stops any of those that are to run: while one of them still starts, it is too early for that.
    """
    slots: dict[str, list[Json]] = defaultdict(list)
    for task in tasks:
        if is_current(service, task) and not is_leaving(task) and state_of(task) not in ENDED:
            slots[_slot(task)].append(task)
    doubled = {slot: there for slot, there in sorted(slots.items()) if len(there) > 1}
    to_run = [t for there in doubled.values() for t in there if t.get("DesiredState") == "running"]
    if any(state_of(t) != "running" for t in to_run):
        return ""
    return ", ".join(f"{len(there)} tasks in slot {slot}" for slot, there in doubled.items())


def template_of(task_spec: Json) -> str:
    labels = (task_spec.get("ContainerSpec") or {}).get("Labels") or {}
    return str(labels.get(TEMPLATE, ""))


def is_current(service: Json, task: Json) -> bool:
    """The task runs the service's present TaskTemplate. ``Runtime`` is shown on services only."""
    template = {k: v for k, v in service["Spec"]["TaskTemplate"].items() if k != "Runtime"}
    return template == {k: v for k, v in (task.get("Spec") or {}).items() if k != "Runtime"}


def is_leaving(task: Json) -> bool:
    return task.get("DesiredState") in ("shutdown", "remove")


def state_of(task: Json) -> str:
    return str((task.get("Status") or {}).get("State", ""))


def _instances(service: Json, tasks: Sequence[Json], nodes: Nodes) -> list[Instance]:
    slots: dict[str, list[Json]] = defaultdict(list)
    found: list[Instance] = []
    for task in sorted(tasks, key=_created, reverse=True):
        if is_current(service, task):
            slots[_slot(task)].append(task)
        elif _still_runs(task, nodes):
            found.append(_instance(task, nodes, current=False))
    wanted = {str(n) for n in range(1, replicas_of(service["Spec"]) + 1)}
    since = _round_began(service)
    for slot, history in sorted(slots.items()):
        found += _current(history, nodes, since, shown=not wanted or slot in wanted)
    return found


def _current(history: Sequence[Json], nodes: Nodes, since: str, *, shown: bool) -> list[Instance]:
    """The present tasks of one slot, newest first; an ended one stands for itself only where nothing follows it."""
    ended = [t for t in history if state_of(t) in ENDED]
    alive = [t for t in history if _still_runs(t, nodes) or (state_of(t) not in ENDED and not is_leaving(t))]
    exits = [t for t in ended if state_of(t) in _EXITED_BY_ITSELF and _created(t) >= since]
    last = next((t for t in ended if problem_of(t) and _created(t) >= since), None)
    coming = [t for t in alive if not is_leaving(t)]
    result = [_instance(t, nodes, current=True) for t in alive if is_leaving(t)]
    if coming:
        return [*result, *(_instance(t, nodes, current=True, exits=len(exits), last=last) for t in coming)]
    if last and shown and not result:
        result.append(_instance(last, nodes, current=True, exits=len(exits), last=last))
    return result


def _instance(task: Json, nodes: Nodes, *, current: bool, exits: int = 0, last: Json | None = None) -> Instance:
    state = instance_state(task)
    if last is not None and task.get("DesiredState") == "ready" and state is not InstanceState.RUNNING:
        state = InstanceState.EXITED  # it waits for its restart delay: no process yet
    problem = problem_of(task) if state is not InstanceState.RUNNING else None
    if problem is None and last is not None and state is not InstanceState.RUNNING:
        problem = problem_of(last)
    return Instance(
        id=task["ID"],
        slot=_slot(task),
        node=nodes.names.get(str(task.get("NodeID", "")), str(task.get("NodeID", ""))),
        template_hash=template_of(task.get("Spec") or {}),
        current=current,
        state=state,
        ready=state is InstanceState.RUNNING and task.get("NodeID") not in nodes.down,
        exits=exits,
        problem=problem,
        log_id=last["ID"] if last is not None and problem else "",
    )


def instance_state(task: Json) -> InstanceState:
    state = state_of(task)
    if state in ENDED:
        return InstanceState.EXITED
    if is_leaving(task):
        return InstanceState.STOPPING
    if state in _UNPLACED:
        return InstanceState.PENDING
    return InstanceState.STARTING if state in _PLACED else InstanceState.RUNNING


def _still_runs(task: Json, nodes: Nodes) -> bool:
    """It has, or may get, a process. What was told to stop before it had a node never will, and a node
    that is down reports the end of its tasks only after a day."""
    if state_of(task) in ENDED:
        return False
    return not (is_leaving(task) and (state_of(task) in _UNPLACED or task.get("NodeID") in nodes.down))


def _slot(task: Json) -> str:
    return str(task.get("Slot") or task.get("NodeID") or "")


def _update_state(service: Json) -> str:
    return str((service.get("UpdateStatus") or {}).get("State", ""))


def _round_began(service: Json) -> str:
    """When the present round began: exits of tasks made earlier belong to another story.

    Of a service that nobody updated it is the creation. ``UpdatedAt`` moves once more when the swarm has given it its
    addresses, on a busy engine after its first tasks were made.
    """
    update = service.get("UpdateStatus") or {}
    changed = service.get("UpdatedAt") if service.get("PreviousSpec") else service.get("CreatedAt")
    return _moment(update.get("StartedAt") or changed)


def _created(task: Json) -> str:
    return _moment(task.get("CreatedAt"))


def _moment(text: object) -> str:
    """Comparable as text: the engine leaves out trailing zeros of the fraction."""
    whole, _, fraction = str(text or "").rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<9}"


def _verdict(service: Json, tasks: Iterable[Json], *, held: bool) -> Problem | None:
    message = str((service.get("UpdateStatus") or {}).get("Message", ""))
    if _update_state(service) in _PAUSED:
        culprit = next((t for t in tasks if t["ID"] in message), None)
        reported = problem_of(culprit) if culprit else None
        return reported or Problem(kind=FailureKind.CRASHED, message=message)
    return Problem(kind=FailureKind.DEADLINE, message="paused by orchctl") if held else None
