"""Desired and observed state as one look at the rollout; pure."""

from __future__ import annotations

from orchctl.core.rollout import FailureKind, Instance, InstanceState, Progress
from orchctl_local.model import Desired, Replica, Status, Step


def progress_of(desired: Desired | None, status: Status | None, *, expect: str, node: str, alive: bool) -> Progress:
    """``alive``: the keeper answers. Without a desired state only what is still stopping is left."""
    replicas = status.replicas if status else []
    name = desired.service.name if desired else ""
    instances = tuple(_instance(r, name, desired, node) for r in sorted(replicas, key=lambda r: r.number))
    if desired is None:
        return Progress(template_hash="", replicas=0, instances=instances, settled=not instances)
    seen = status is not None and status.version == desired.version
    return Progress(
        template_hash=desired.template_hash,
        expect=expect,
        replicas=desired.replicas,
        instances=instances,
        settled=seen and status is not None and status.settled,
        paused=desired.paused,
        note=_note(desired, replicas, alive=alive),
    )


def _instance(replica: Replica, name: str, desired: Desired | None, node: str) -> Instance:
    return Instance(
        id=replica.instance or f"{name}-{replica.number}-{replica.attempt + 1}",
        slot=str(replica.slot),
        node=node,
        template_hash=replica.template_hash,
        current=desired is not None and replica.generation == desired.generation,
        state=_state(replica),
        ready=replica.ready,
        exits=replica.exits,
        problem=replica.problem,
        log_id=replica.log_id,
    )


def _state(replica: Replica) -> InstanceState:
    if replica.leaving:
        return InstanceState.STOPPING
    if replica.step is Step.ENDED:
        return InstanceState.EXITED
    if replica.step is Step.WAITING:
        unplaced = replica.problem is None or replica.problem.kind is FailureKind.UNSCHEDULABLE
        return InstanceState.PENDING if unplaced and not replica.exits else InstanceState.EXITED
    return InstanceState.RUNNING if replica.was_ready else InstanceState.STARTING


def _note(desired: Desired, replicas: list[Replica], *, alive: bool) -> str:
    if not alive:
        return "the keeper of this context does not answer; its log is keeper.log in the state directory"
    if desired.paused:
        return "the rollout is paused"
    return next((f"{r.instance}: {r.probe}" for r in replicas if r.probe and not r.leaving), "")
