"""Deployment, ReplicaSets and pods as the API shows them -> what the engine judges. Pure.

The Progressing condition is never asked: after an update it is that of the update before
(kubernetes#49637, kubernetes#124264). Nothing of the status counts until the controller has seen
the generation that was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchctl.core.rollout import Instance, InstanceState, Problem, Progress
from orchctl_kubernetes.names import NAME, RESTARTED, TEMPLATE
from orchctl_kubernetes.problems import (
    condition,
    is_finished,
    is_lost,
    is_of_quota,
    number,
    part,
    parts,
    refused,
    status_of,
    text,
    trouble,
)

Json = Mapping[str, Any]

_REVISION = "deployment.kubernetes.io/revision"
_REFUSED_POD = re.compile(r'pods? "([^"]+)"')


def observe(
    deployment: Json | None, replica_sets: Sequence[Json], pods: Sequence[Json], *, expect: str = ""
) -> Progress:
    """One look. ``deployment`` None, or one that is being deleted: the service is gone, and ``pods`` are what
    still stops. ``replica_sets`` need their metadata only."""
    if deployment is None or _is_leaving(deployment):
        return Progress(template_hash="", replicas=0, instances=_stopping(deployment, pods))
    present, wanted = present_set(deployment, replica_sets), replicas_of(deployment)
    problem, instances = _refusal(deployment, replica_sets, present), _instances(deployment, present, pods, wanted)
    if problem and is_of_quota(problem) and _makes_room(deployment, replica_sets, instances):
        problem, instances = replace(problem, transient=True), _with_refused(deployment, instances, problem)
    paused = part(deployment, "spec").get("paused") is True
    return Progress(
        template_hash=template_of(deployment),
        expect=expect,
        replicas=wanted,
        instances=instances,
        settled=paused or _is_settled(deployment, wanted),
        verdict=problem if problem and not problem.transient else None,
        paused=paused,
        note=problem.message if problem else _note(pods),
    )


def replicas_of(deployment: Json) -> int:
    """The API server fills in 1 where nothing was asked for."""
    return number(part(deployment, "spec"), "replicas", 1)


def template_of(deployment: Json) -> str:
    return text(part(deployment, "spec", "template", "metadata", "labels"), TEMPLATE)


def present_set(deployment: Json, replica_sets: Sequence[Json]) -> Json | None:
    """The ReplicaSet of the Deployment's present revision; None while the controller has not seen its last change.

    One of an earlier Deployment with this name may still be there, and has the same revision numbers.
    """
    metadata = part(deployment, "metadata")
    revision = text(part(metadata, "annotations"), _REVISION)
    if not revision or not _is_observed(deployment):
        return None
    ours = (r for r in replica_sets if _owner(r) == text(metadata, "uid") and _owner(r))
    return next((r for r in ours if text(part(r, "metadata", "annotations"), _REVISION) == revision), None)


def is_current(deployment: Json, present: Json | None, pod: Json) -> bool:
    """The pod runs the Deployment's present template.

    A paused Deployment has its status brought up to date without a new ReplicaSet, so that the present
    one may be the old template's: what the template itself says has to agree as well.
    """
    if present is None or _owner(pod) != text(part(present, "metadata"), "uid"):
        return False
    template, metadata = part(deployment, "spec", "template", "metadata"), part(pod, "metadata")
    same_template = text(part(metadata, "labels"), TEMPLATE) == text(part(template, "labels"), TEMPLATE)
    restarted = text(part(metadata, "annotations"), RESTARTED)
    return same_template and restarted == text(part(template, "annotations"), RESTARTED)


def instance_id(pod: Json, container_name: str = "") -> str:
    """``POD``, or ``POD/N`` when its container was started again N times: every process has its own."""
    runs = number(status_of(pod, container_name or _service_container(pod)), "restartCount")
    return f"{name_of(pod)}/{runs}" if runs else name_of(pod)


def name_of(found: Json) -> str:
    return text(part(found, "metadata"), "name")


def is_ready(pod: Json) -> bool:
    """May receive traffic: the pod's own condition, which has every container and readiness gate in it."""
    return condition(pod, "Ready").get("status") == "True" and not is_finished(pod) and not _is_leaving(pod)


def instance_state(pod: Json) -> InstanceState:
    if is_finished(pod):
        return InstanceState.EXITED
    if _is_leaving(pod):
        return InstanceState.STOPPING
    status = status_of(pod, _service_container(pod))
    if part(status, "state", "terminated") or _waits_to_restart(status):
        return InstanceState.EXITED
    if part(status, "state", "waiting") or not status:
        return InstanceState.PENDING
    if is_ready(pod):
        return InstanceState.RUNNING
    return InstanceState.STARTING


def _service_container(pod: Json) -> str:
    """Ours is called like the service; injectors and patches add others."""
    containers = parts(part(pod, "spec"), "containers") or parts(part(pod, "status"), "containerStatuses")
    names = [text(c, "name") for c in containers]
    service = text(part(pod, "metadata", "labels"), NAME)
    return service if service in names or not names else names[0]


def _makes_room(deployment: Json, replica_sets: Sequence[Json], found: Sequence[Instance]) -> bool:
    """The rollout itself stops old pods before new ones are there, so that a quota which they fill is no answer yet; the
    controller asks again a while after they are gone."""
    if any(i.state is InstanceState.STOPPING for i in found):
        return True
    rolling = part(deployment, "spec", "strategy", "rollingUpdate")
    stops_first = bool(rolling) and rolling.get("maxUnavailable") not in (0, "0%", None)
    return stops_first and len(replica_sets) > 1


def _with_refused(deployment: Json, found: tuple[Instance, ...], problem: Problem) -> tuple[Instance, ...]:
    """And the pod that is refused, to be judged as one that finds no node."""
    refused_one = Instance(
        id=f"{name_of(deployment)}/refused",
        template_hash=template_of(deployment),
        state=InstanceState.PENDING,
        problem=replace(problem, transient=True),
    )
    return (*found, refused_one)


def _instances(deployment: Json, present: Json | None, pods: Sequence[Json], wanted: int) -> tuple[Instance, ...]:
    ordered = sorted((p for p in pods if not _is_over(p)), key=lambda p: (_created(p), name_of(p)))
    current = [p for p in ordered if is_current(deployment, present, p)]
    old = [p for p in ordered if not is_current(deployment, present, p) and not is_finished(p)]
    alive = [p for p in current if not is_finished(p)]
    # A finished pod stands for itself only where its ReplicaSet has put none in its place.
    missing = max(0, wanted - sum(not _is_leaving(p) for p in alive))
    finished = [p for p in current if is_finished(p)][-missing:] if missing else []
    found = [_instance(p, current=True) for p in alive + finished]
    return tuple(found + [_instance(p, current=False) for p in old])


def _instance(pod: Json, *, current: bool) -> Instance:
    container = _service_container(pod)
    state = instance_state(pod)
    quiet = state in (InstanceState.STOPPING, InstanceState.RUNNING)
    problem, culprit = (None if quiet else trouble(pod, container)) or (None, "")
    status = status_of(pod, container)
    return Instance(
        id=instance_id(pod, container),
        slot=name_of(pod),
        node=text(part(pod, "spec"), "nodeName"),
        template_hash=text(part(pod, "metadata", "labels"), TEMPLATE),
        current=current,
        state=state,
        ready=state is InstanceState.RUNNING,
        exits=_exits(_culprit_status(pod, culprit) or status),
        held_back=_waits_to_restart(_culprit_status(pod, culprit) or status),
        problem=problem,
        log_id=_log_id(pod, status) if problem and culprit == container else "",
    )


def _culprit_status(pod: Json, name: str) -> Json:
    status = part(pod, "status")
    everything = parts(status, "containerStatuses") + parts(status, "initContainerStatuses")
    return next((s for s in everything if name and s.get("name") == name), {})


def _exits(status: Json) -> int:
    """The kubelet counts starts after the first: a run that is over and has no follower is one more."""
    return number(status, "restartCount") + (0 if _runs(status) or not _ended_once(status) else 1)


def _log_id(pod: Json, status: Json) -> str:
    """The last run that is over; ``POD/0`` is the first one, where ``POD`` is whichever runs."""
    if not _ended_once(status):
        return ""
    return f"{name_of(pod)}/{max(0, number(status, 'restartCount') - (1 if _runs(status) else 0))}"


def _runs(status: Json) -> bool:
    return "running" in part(status, "state")


def _ended_once(status: Json) -> bool:
    return bool(part(status, "state", "terminated") or part(status, "lastState", "terminated"))


def _waits_to_restart(status: Json) -> bool:
    return part(status, "state", "waiting").get("reason") == "CrashLoopBackOff"


def _is_over(pod: Json) -> bool:
    """Being removed, and without a process as far as anybody can know."""
    return _is_leaving(pod) and (is_finished(pod) or is_lost(pod))


def _stopping(deployment: Json | None, pods: Sequence[Json]) -> tuple[Instance, ...]:
    """What is left of a deleted service; pods that were not told yet will be."""
    left = [p for p in pods if not is_finished(p) and not _is_over(p)]
    if not left and deployment is not None:
        return (Instance(id=name_of(deployment), current=False, state=InstanceState.STOPPING),)
    return tuple(
        Instance(
            id=instance_id(p),
            slot=name_of(p),
            node=text(part(p, "spec"), "nodeName"),
            template_hash=text(part(p, "metadata", "labels"), TEMPLATE),
            current=False,
            state=InstanceState.STOPPING,
        )
        for p in sorted(left, key=name_of)
    )


def _is_leaving(found: Json) -> bool:
    return bool(part(found, "metadata").get("deletionTimestamp"))


def _owner(found: Json) -> str:
    owners = parts(part(found, "metadata"), "ownerReferences")
    return next((text(o, "uid") for o in owners if o.get("controller") is True), "")


def _created(pod: Json) -> str:
    return text(part(pod, "metadata"), "creationTimestamp")


def _is_observed(deployment: Json) -> bool:
    generation = number(part(deployment, "metadata"), "generation")
    return number(part(deployment, "status"), "observedGeneration", -1) >= generation


def _is_settled(deployment: Json, wanted: int) -> bool:
    status = part(deployment, "status")
    counts = {number(status, "updatedReplicas"), number(status, "replicas"), wanted}
    return _is_observed(deployment) and len(counts) == 1 and not number(status, "unavailableReplicas")


def _refusal(deployment: Json, replica_sets: Sequence[Json], present: Json | None) -> Problem | None:
    """The controller passes on an old ReplicaSet's failure as long as the present one has none of its own."""
    found = condition(deployment, "ReplicaFailure")
    enough = number(part(deployment, "status"), "updatedReplicas") >= replicas_of(deployment)
    updated = text(found, "lastUpdateTime")
    if present is None or enough or (updated and updated < _created(present)):
        return None
    named = _REFUSED_POD.search(text(found, "message"))
    pod = named[1] if named else ""
    others = [name_of(r) for r in replica_sets if name_of(r) != name_of(present)]
    if any(pod.startswith(f"{name}-") for name in others) and not pod.startswith(f"{name_of(present)}-"):
        return None
    return refused(found)


def _note(pods: Sequence[Json]) -> str:
    """What is waited for, in the backend's words."""
    for pod in pods:
        scheduled = condition(pod, "PodScheduled")
        if scheduled.get("status") == "False" and text(scheduled, "message") and not _is_leaving(pod):
            return text(scheduled, "message")
    lost = next((p for p in pods if is_lost(p)), None)
    return f"{name_of(lost)}: its node {text(part(lost, 'spec'), 'nodeName')} does not answer" if lost else ""
