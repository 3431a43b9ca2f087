"""Go back to a kept revision: an ordinary deploy of its spec, as a new revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchctl.core.capability import Feature
from orchctl.core.document import spec_hash
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.core.rollout import Outcome
from orchctl.engine.counts import kept_count
from orchctl.engine.deploy import deploy
from orchctl.engine.history import Records, newest_with, numbered
from orchctl.engine.operation import Limits
from orchctl.engine.plan import Planned, look, plan_one
from orchctl.engine.rollout import DeployOptions
from orchctl.engine.session import Session
from orchctl.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """Where ``rollback`` would go: the revision, the plan, and the count it keeps."""

    target: Recorded
    planned: Planned
    replicas: int
    replicas_by: str = ""


def plan_rollback(session: Session, namespace: str, name: str, *, to: int | None = None) -> Rollback:
    """What going back to revision ``to`` would change, and what that costs; default: the last good one before the present."""
    records = Records(session.store, namespace, name).newest_first()
    target = numbered(records, to) if to is not None else previous_good(records, name)
    service = target.revision.service
    seen = look(session, service, records)
    replicas, by = kept_count(target, seen.live.get(name), records)
    planned = _priced(session, plan_one(session, service.sized(replicas), seen=seen))
    if by:
        notes = (*planned.plan.notes, f"replicas stay {replicas}: {by}")
        planned = replace(planned, plan=replace(planned.plan, notes=notes))
    return Rollback(target=target, planned=planned, replicas=replicas, replicas_by=by)


def _priced(session: Session, planned: Planned) -> Planned:
    """With the backend's own words where its way back is more than a deploy of the old spec seems to be."""
    plan, undo = planned.plan, session.backend.capabilities()[Feature.ROLLOUT_UNDO]
    if not undo.reason or not plan.restarts:
        return planned
    return replace(planned, plan=replace(plan, notes=(*plan.notes, undo.reason)))


def rollback(session: Session, where: Rollback, limits: Limits, *, reason: str = "") -> Outcome:
    """Do it; the outcome of an ordinary deploy."""
    options = DeployOptions(
        limits=limits,
        reason=reason,
        rollback_of=where.target.revision.number,
        replicas=where.replicas,
        replicas_by=where.replicas_by,
    )
    return deploy(session, where.target.revision.service, options)


def previous_good(records: Sequence[Recorded], name: str) -> Recorded:
    """After a failure that was left as it is: the deployed revision. Else: the newest one before it with another spec,
    since after a rollback the one before may be what runs again."""
    present = newest_with(records, RevisionStatus.DEPLOYED)
    if records and records[0].status in (RevisionStatus.FAILED, RevisionStatus.PENDING):
        good = present
    else:
        superseded = (r for r in records if r.status is RevisionStatus.SUPERSEDED)
        good = next((r for r in superseded if present is None or _uncounted(r) != _uncounted(present)), None)
    if good is None:
        raise NotFound(
            f"service {name!r} has no earlier good revision to go back to", hint=f"see: orchctl history {name}"
        )
    return good


def _uncounted(recorded: Recorded) -> str:
    """The hash of its spec, whatever the count."""
    return spec_hash(recorded.revision.service.sized(0))
