"""What runs, in one look at the backend and one at the store, whatever the number of services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchctl.core.backend import Live
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.core.rollout import InstanceState, Phase, Progress
from orchctl.engine.history import load_namespace
from orchctl.engine.lease import LeaseInfo
from orchctl.engine.session import Session
from orchctl.engine.thresholds import CRASHES_IN_ONE_SLOT
from orchctl.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service's condition. ``updated``: instances of the present definition that are ready."""

    name: str
    namespace: str
    backend: str
    context: str
    phase: Phase
    wanted: int
    ready: int
    updated: int
    revision: int
    image: str
    message: str
    progress: Progress


def status(session: Session, namespace: str, names: Sequence[str] = ()) -> list[ServiceStatus]:
    """Sorted by name. NotFound when one that was asked for is neither running nor recorded."""
    live, progress = session.reader.look(namespace, names)
    records, leases = load_namespace(session.store, namespace)
    found = {n for n, definition in live.items() if definition.owned} | ({*names} & {*records})
    if not names:
        found |= {n for n, kept in records.items() if kept[0].status is RevisionStatus.PENDING}
    for name in names:
        if name not in found:
            raise NotFound(
                f"there is no service {name!r} in namespace {namespace!r}", hint="see what there is: orchctl status"
            )
    return [
        _one(session, namespace, n, live.get(n), progress.get(n), records.get(n, []), leases.get(n))
        for n in sorted(found)
    ]


def _one(
    session: Session,
    namespace: str,
    name: str,
    live: Live | None,
    progress: Progress | None,
    records: Sequence[Recorded],
    lease: LeaseInfo | None,
) -> ServiceStatus:
    newest = records[0] if records else None
    seen = progress or Progress(template_hash="", replicas=0)
    return ServiceStatus(
        name=name,
        namespace=namespace,
        backend=session.backend.name,
        context=session.context.name,
        phase=phase_of(live, seen, newest),
        wanted=live.replicas if live else 0,
        ready=sum(i.ready for i in seen.instances),
        updated=sum(i.ready and i.current for i in seen.instances),
        revision=revision_of(live.template_hash, records) if live else 0,
        image=live.image if live else "",
        message=_message(live, seen, newest, lease),
        progress=seen,
    )


def phase_of(live: Live | None, progress: Progress, newest: Recorded | None) -> Phase:
    """One word from what is seen now. The newest record tells apart what nothing seen can: paused, unfinished, failed, or once
    good (``degraded`` with nothing ready, where a first rollout is ``pending``)."""
    if live is None:
        return Phase.PENDING
    there = [i for i in progress.instances if i.state is not InstanceState.EXITED]
    ready = sum(i.ready for i in progress.instances)
    if live.replicas == 0:
        return Phase.PROGRESSING if there else Phase.STOPPED
    if progress.verdict is not None or progress.paused:
        return Phase.PAUSED if ready else Phase.FAILED
    crashing = any(i.current and i.problem and i.exits >= CRASHES_IN_ONE_SLOT for i in progress.instances)
    updated = sum(i.ready and i.current for i in progress.instances)
    if updated == live.replicas and len(there) == live.replicas:
        return Phase.HEALTHY
    if crashing or (newest and newest.status is RevisionStatus.FAILED and _is_of(live, newest)):
        return Phase.DEGRADED if ready else Phase.FAILED
    unfinished = newest is not None and newest.status is RevisionStatus.PENDING
    if unfinished or not progress.settled or any(i.state is not InstanceState.RUNNING for i in there):
        return Phase.PROGRESSING
    was_good = newest is not None and newest.status is not RevisionStatus.PENDING
    return Phase.DEGRADED if ready or was_good else Phase.PENDING


def _is_of(live: Live, recorded: Recorded) -> bool:
    return live.template_hash == recorded.revision.template_hash


def revision_of(template: str, records: Sequence[Recorded]) -> int:
    """The newest revision with that template that ran; 0 = none is kept."""
    for recorded in records:
        if recorded.revision.template_hash == template:
            return recorded.revision.number
    return 0


def _is_healthy(live: Live, progress: Progress) -> bool:
    return phase_of(live, progress, None) is Phase.HEALTHY


def _message(live: Live | None, progress: Progress, newest: Recorded | None, lease: LeaseInfo | None) -> str:
    if newest is not None and newest.status is RevisionStatus.PENDING:
        if lease is not None:
            return f"revision {newest.revision.number} is being rolled out by {lease}"
        if live is not None and live.template_hash == newest.revision.template_hash and _is_healthy(live, progress):
            number = newest.revision.number
            return f"revision {number} runs; nobody waited for it, and the next deploy records it as deployed"
        return (
            f"revision {newest.revision.number} was started by {newest.revision.created_by} and not finished; "
            "finish it by running the same deploy again"
        )
    problems = [i.problem for i in progress.instances if i.current and i.problem]
    if problems:
        return f"{problems[0].kind.value}: {problems[0].message}"
    if progress.verdict is not None:
        return progress.verdict.message
    if live is None:
        return "recorded, but not running"
    if newest is not None and newest.status in (RevisionStatus.FAILED, RevisionStatus.ROLLED_BACK):
        return f"revision {newest.revision.number} failed: {newest.note}"
    return progress.stalled or progress.note
