"""One rollout of one service: its record, the write, the wait. For a deploy and for the way back alike.

A killed one is gone on with: a pending record of the same template is adopted, any other is marked as interrupted, and what
already stands on the backend is not sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orchctl import __version__
from orchctl.core.backend import Live
from orchctl.core.codec import canonical_json
from orchctl.core.document import spec_hash
from orchctl.core.plan import Plan
from orchctl.core.revision import Recorded, Revision, RevisionStatus
from orchctl.core.rollout import Handle
from orchctl.core.service import Service
from orchctl.engine import callers, estimate
from orchctl.engine.converge import converge
from orchctl.engine.counts import RAN
from orchctl.engine.history import newest_with
from orchctl.engine.operation import Limits, Operation, quietly
from orchctl.engine.plan import Planned, Seen, plan_one, wanted_replicas
from orchctl.engine.publish import LISTED, registration_of
from orchctl.engine.sending import Write, send, version_of
from orchctl.engine.session import Session
from orchctl.engine.verdict import State
from orchctl.engine.wait import Waited
from orchctl.errors import Conflict, LeaseLost, UsageError
from orchctl.secrets.unrepeated import Unrepeated


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployOptions:
    """``saved`` is a plan made earlier: refused when the backend moved since. ``rollback_of`` and ``replicas`` are set by
    ``rollback``: the revision repeated, and the count to keep; ``replicas_by`` says who set it. ``source_seq`` orders the
    builds: one lower than what was deployed is refused unless ``allow_older``."""

    limits: Limits = field(default_factory=Limits)
    reason: str = ""
    strict: bool = False
    saved: Plan | None = None
    rollback_of: int = 0
    replicas: int | None = None
    replicas_by: str = ""
    source_seq: int | None = None
    allow_older: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledOut:
    """One that was sent. ``waited`` None: nobody waits for it. ``began`` is the clock's reading."""

    planned: Planned
    recorded: Recorded
    handle: Handle
    waited: Waited | None
    began: float

    @property
    def number(self) -> int:
        """Of its revision."""
        return self.recorded.revision.number

    @property
    def is_good(self) -> bool:
        return self.waited is not None and self.waited.verdict.state is State.GOOD


def plan_asked(session: Session, service: Service, options: DeployOptions, seen: Seen | None = None) -> Planned:
    """The plan of ``service``, from a fresh look or from ``seen``."""
    written = service if options.replicas is None else service.sized(options.replicas)
    planned = plan_one(session, written, strict=options.strict, seen=seen)
    if options.replicas is None:
        return planned
    # A rollback keeps a count set by hand, but records what the old spec said about it.
    pinned = replace(planned.plan.service, replicas=service.replicas)
    return replace(planned, plan=replace(planned.plan, written_replicas=service.replicas, spec_hash=spec_hash(pinned)))


def roll_out(op: Operation, planned: Planned, options: DeployOptions, *, give_up_at: float | None) -> RolledOut:
    """Record it, send it, wait for its verdict if ``options`` say so; nothing is finished or undone."""
    began, waited = op.session.clock.now(), None
    recorded = _claim(op, planned, options)
    handle, count = _apply(op, planned, recorded)
    if options.limits.wait:
        is_fixed = planned.plan.written_replicas is not None
        waited = converge(op, handle, planned.plan.service, count, give_up_at=give_up_at, is_fixed=is_fixed)
    return RolledOut(planned=planned, recorded=recorded, handle=handle, waited=waited, began=began)


def finish_good(op: Operation, done: RolledOut) -> None:
    """Record it as deployed. The new one first: at every moment there is a deployed revision to go back to. Of two, the
    newer counts."""
    planned, recorded = done.planned, done.recorded
    op.fence()
    took_ms = int((op.session.clock.now() - done.began) * 1000)
    timed = {} if recorded is planned.newest else {estimate.TOOK: str(took_ms)}  # else a killed run began it
    op.records.mark(recorded, RevisionStatus.DEPLOYED, extra=timed)
    op.step("recorded", f"revision {done.number} is deployed")
    former = newest_with(planned.records, RevisionStatus.DEPLOYED)
    if former is not None and former.revision.number != done.number:
        quietly(lambda: op.records.mark(former, RevisionStatus.SUPERSEDED), op, "the former revision was not marked")
    if planned.records:
        quietly(lambda: _prune(op), op, "old revisions were not pruned")


def _prune(op: Operation) -> None:
    kept = op.records.prune()
    op.writer.prune(op.namespace, op.name, [r.revision.service for r in kept])


def _claim(op: Operation, planned: Planned, options: DeployOptions) -> Recorded:
    """The pending record of this rollout: adopted from a killed run of the same, or new."""
    newest, plan = planned.newest, planned.plan
    if newest is not None and newest.status is RevisionStatus.PENDING:
        if is_same(newest.revision, plan, options):
            op.step("adopt", f"revision {newest.revision.number} was interrupted; going on with it")
            return newest
        op.fence()
        op.records.mark(newest, RevisionStatus.FAILED, "interrupted")
    revision = _revision(op, planned, options, number=plan.base_revision + 1)
    ran = planned.live.replicas if planned.live else 0
    op.fence()
    noted = {LISTED: "yes"} if registration_of(revision.service, op.session.context) else {}
    if options.replicas_by:
        noted |= {"override": str(options.replicas), "override_by": options.replicas_by}
    recorded = op.records.create(revision, {"token": op.session.holder.token, RAN: str(ran), **noted})
    facts = {"number": revision.number, "template": revision.template_hash}
    op.step("record", f"revision {revision.number}", facts, usual_ms=estimate.usual_ms(planned.records))
    return recorded


def is_same(kept: Revision, plan: Plan, options: DeployOptions) -> bool:
    """Is ``kept`` the record of this very deploy?"""
    same = (kept.template_hash, kept.spec_hash) == (plan.template_hash, plan.spec_hash)
    counted = plan.written_replicas is None or kept.replicas == plan.service.replicas
    return same and counted and kept.source_seq == options.source_seq


def _revision(op: Operation, planned: Planned, options: DeployOptions, *, number: int) -> Revision:
    plan, session = planned.plan, op.session
    deployed = newest_with(planned.records, RevisionStatus.DEPLOYED)
    rendered = [
        {"kind": o.kind, "name": o.name, "body": o.body} for o in session.backend.render(plan.service.on_backend())
    ]
    return Revision(
        number=number,
        service=replace(plan.service, replicas=plan.written_replicas),
        template_hash=plan.template_hash,
        spec_hash=plan.spec_hash,
        replicas=plan.service.replicas or 0,
        created_at=session.clock.wall(),
        created_by=session.holder.name,
        reason=options.reason,
        rollback_of=options.rollback_of,
        parent=deployed.revision.number if deployed else 0,
        rendered=canonical_json(rendered),
        orchctl_version=__version__,
        source_seq=options.source_seq,
    )


def _apply(op: Operation, planned: Planned, recorded: Recorded) -> tuple[Handle, int]:
    """Send the definition; a record whose definition the backend refused is closed: nothing is unfinished."""
    try:
        callers.admit(op, planned.calls)
        if planned.stands:  # a killed run had got that far
            return _resume(op, planned), planned.plan.service.replicas or 0
        return _send(op, planned, recorded.revision.number)
    except LeaseLost:
        raise
    except (UsageError, Conflict) as error:
        refused = str(error)
        quietly(lambda: op.records.mark(recorded, RevisionStatus.FAILED, refused), op, "the record was not closed")
        raise


def _send(op: Operation, planned: Planned, number: int) -> tuple[Handle, int]:
    """The handle, and the count that was sent."""
    then = planned.live
    plan = replace(planned.plan, service=planned.plan.service.on_backend())
    is_fixed = plan.written_replicas is not None

    def for_now(now: Live | None) -> Plan:
        """Nobody fixed the count: what an autoscaler makes of it meanwhile is right."""
        if is_fixed or now is None or then is None or now.replicas == then.replicas:
            return plan
        free = replace(plan.service, replicas=None)
        return replace(plan, service=free.sized(wanted_replicas(free, now)))

    def apply(now: Live | None) -> tuple[Handle, int]:
        fitting = replace(for_now(now), expect=version_of(now))
        with Unrepeated(planned.secrets):
            handle = op.writer.apply(fitting, revision=number, secrets=planned.secrets)
        return handle, fitting.service.replicas or 0

    def arrived(now: Live | None) -> tuple[Handle, int] | None:
        fitting = for_now(now)
        projected = dict(op.session.backend.project(fitting.service))
        there = now is not None and now.template_hash == plan.template_hash and dict(now.document) == projected
        return (handle_of_plan(fitting), fitting.service.replicas or 0) if there else None

    def unmoved(now: Live | None) -> bool:
        if now is None or then is None:
            return now is then
        after, before = {**now.document}, {**then.document}
        if not is_fixed:
            after["replicas"] = before["replicas"] = 0
        return now.template_hash == then.template_hash and after == before

    return send(op, Write(send=apply, arrived=arrived, unmoved=unmoved), then, f"apply revision {number}")


def _resume(op: Operation, planned: Planned) -> Handle:
    """The definition stands there already. A rollout that was paused when it failed is set going again."""
    handle, then = handle_of_plan(planned.plan), planned.live
    if not op.session.reader.poll(handle).paused:
        return handle

    def going(now: Live | None) -> Handle | None:
        return handle if now is not None and not op.session.reader.poll(handle).paused else None

    def unmoved(now: Live | None) -> bool:
        return now is not None and then is not None and now.document == then.document

    def restart(now: Live | None) -> Handle:
        return op.writer.restart(op.namespace, op.name, expect=version_of(now))

    return send(op, Write(send=restart, arrived=going, unmoved=unmoved), then, "go on with the paused rollout")


def handle_of_plan(plan: Plan) -> Handle:
    """What waits for what ``plan`` wants."""
    return Handle(
        backend=plan.backend,
        namespace=plan.service.namespace,
        service=plan.service.name,
        template_hash=plan.template_hash,
        replicas=plan.service.replicas or 0,
    )
