"""Deploy one service: plan, lease, record, apply, wait, record; roll back when it fails.

Re-running after a kill at any point converges: a pending record of the same template is adopted, any
other is marked as interrupted, and what already stands on the backend is not sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchctl import __version__
from orchctl.core.backend import Live
from orchctl.core.capability import Feature
from orchctl.core.codec import canonical_json
from orchctl.core.document import spec_hash
from orchctl.core.plan import Plan
from orchctl.core.revision import Recorded, Revision, RevisionStatus
from orchctl.core.rollout import EventKind, Failure, Handle, Outcome, OutcomeState
from orchctl.core.service import OnFailure, Service
from orchctl.engine import build_order, callers, estimate, evidence
from orchctl.engine.counts import RAN, kept_count
from orchctl.engine.history import newest_with
from orchctl.engine.lease import Lease
from orchctl.engine.operation import Limits, Operation, Write, operation, quietly, send
from orchctl.engine.plan import Planned, plan_one, wanted_replicas
from orchctl.engine.publish import LISTED, registration_of
from orchctl.engine.refresh import refreshed
from orchctl.engine.scale import converge, failed
from orchctl.engine.session import Session
from orchctl.engine.verdict import State, is_ready
from orchctl.engine.wait import Waited, wait
from orchctl.errors import (
    Conflict,
    Interrupted,
    LeaseLost,
    OrchctlError,
    RolledBack,
    RolloutFailed,
    StalePlan,
    UsageError,
)
from orchctl.secrets.unrepeated import Unrepeated


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployOptions:
    """``saved`` is a plan made earlier: refused when the backend moved since. ``rollback_of`` and
    ``replicas`` are set by ``rollback``: the revision repeated, and the count to keep; ``replicas_by`` says who set it.
    ``source_seq`` orders
    the builds: one lower than what was deployed is refused unless ``allow_older``."""

    limits: Limits = field(default_factory=Limits)
    reason: str = ""
    strict: bool = False
    saved: Plan | None = None
    rollback_of: int = 0
    replicas: int | None = None
    replicas_by: str = ""
    source_seq: int | None = None
    allow_older: bool = False


def deploy(session: Session, service: Service, options: DeployOptions, *, before: Planned | None = None) -> Outcome:
    """Make ``service`` run and say how it ended. Looks first; when nothing changes, nothing is locked or written.

    ``before``: a plan made just now, which saves the first look.
    """
    before = before or _plan(session, service, options)
    refuse_older_build(before, options)
    if is_done(before, options):
        _refuse_stale(before, options)
        return refreshed(session, [before.plan.service], [stands(session, before, options.limits)], options.limits)[0]
    with operation(session, service.namespace, service.name, "deploy", options.limits) as op:
        planned = _recognised(op, _plan(session, service, options), options)
        _refuse_stale(planned, options)
        refuse_older_build(planned, options)
        if planned.is_unchanged:  # the other deployer, for whom we waited, did the same
            _note_source(op, planned, options)
            return stands(session, planned, options.limits, lease=op.lease)
        outcome = _roll_out(op, planned, options)
        return op.publisher.after(outcome) if options.limits.wait else outcome


def is_done(planned: Planned, options: DeployOptions) -> bool:
    """Nothing is to be sent, and nothing noted."""
    return planned.is_unchanged and not build_order.is_news(planned.records, options.source_seq)


def stands(session: Session, planned: Planned, limits: Limits, *, lease: Lease | None = None) -> Outcome:
    """Nothing is to be sent; that is the whole story only of what is ready. The rest is waited for as after a write, and
    nothing is undone: nothing was done."""
    handle, service, number = _handle(planned.plan), planned.plan.service, planned.plan.base_revision
    unchanged = _outcome(session, planned, OutcomeState.UNCHANGED, number)
    if is_ready(service, session.reader.poll(handle), replicas=handle.replicas):
        return unchanged
    if not limits.wait:
        return replace(unchanged, state=OutcomeState.IN_PROGRESS)
    is_fixed = planned.plan.written_replicas is not None
    waited = wait(session, handle, service, lease=lease, give_up_at=limits.give_up_at(session), is_fixed=is_fixed)
    if waited.verdict.state is State.GOOD:
        return replace(unchanged, duration_ms=session.elapsed_ms())
    return failed(
        session, service, number, waited, f"revision {number} is as asked for, but its instances are not ready"
    )


def refuse_older_build(planned: Planned, options: DeployOptions) -> None:
    """OlderSource when a newer build was deployed and the user does not say that the older one is meant."""
    if not options.allow_older:
        build_order.refuse_older(planned.plan.service.name, planned.records, options.source_seq)


def _note_source(op: Operation, planned: Planned, options: DeployOptions) -> None:
    """A newer build that changes nothing is still the newest: an older one that is late must find its number."""
    newest, number = planned.newest, options.source_seq
    if newest is not None and number is not None and build_order.is_news(planned.records, number):
        op.fence()
        op.records.note_source(newest, number)


def _plan(session: Session, service: Service, options: DeployOptions) -> Planned:
    written = service if options.replicas is None else service.sized(options.replicas)
    planned = plan_one(session, written, strict=options.strict)
    if options.replicas is None:
        return planned
    # A rollback keeps a count set by hand, but records what the old spec said about it.

    pinned = replace(planned.plan.service, replicas=service.replicas)
    return replace(planned, plan=replace(planned.plan, written_replicas=service.replicas, spec_hash=spec_hash(pinned)))


def _refuse_stale(planned: Planned, options: DeployOptions) -> None:
    saved = options.saved
    if saved is None:
        return
    now = planned.plan
    if (saved.expect, saved.base_revision, saved.changes) != (now.expect, now.base_revision, now.changes):
        raise StalePlan(
            f"the saved plan for {now.service.name!r} is stale: the service changed since the plan was made",
            hint="make a new plan with: orchctl plan --out FILE",
        )


def _roll_out(op: Operation, planned: Planned, options: DeployOptions) -> Outcome:
    began = op.session.clock.now()
    recorded = _claim(op, planned, options)
    handle, count = _apply(op, planned, recorded)
    if not options.limits.wait:
        return _going_on(op.session, planned, recorded.revision.number)
    waited = _converged(op, planned, handle, count, give_up_at=op.give_up_at)
    if waited.verdict.state is State.GOOD:
        callers.settle(op, planned.calls, revision=recorded.revision.number)
        if reason := callers.unenforced(op, planned.calls, planned.plan.service):
            return _finish_open(op, planned, recorded, reason)
        _finish_good(op, planned, recorded, began)
        return _outcome(op.session, planned, OutcomeState.CONVERGED, recorded.revision.number)
    return _finish_bad(op, planned, recorded, handle, waited)


def _claim(op: Operation, planned: Planned, options: DeployOptions) -> Recorded:
    """The pending record of this rollout: adopted from a killed run of the same, or new."""
    newest, plan = planned.newest, planned.plan
    if newest is not None and newest.status is RevisionStatus.PENDING:
        if _is_same(newest.revision, plan, options):
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


def _is_same(kept: Revision, plan: Plan, options: DeployOptions) -> bool:
    same = (kept.template_hash, kept.spec_hash) == (plan.template_hash, plan.spec_hash)
    counted = plan.written_replicas is None or kept.replicas == plan.service.replicas
    return same and counted and kept.source_seq == options.source_seq


def _recognised(op: Operation, planned: Planned, options: DeployOptions) -> Planned:
    """A pending revision that runs as it should was deployed, although nobody watched it to its end (``--no-wait``, a kill):
    what follows can go back to it."""
    newest, live = planned.newest, planned.live
    if (
        newest is None
        or newest.status is not RevisionStatus.PENDING
        or _is_same(newest.revision, planned.plan, options)
    ):
        return planned
    if live is None or live.template_hash != newest.revision.template_hash:
        return planned
    handle = replace(_handle(planned.plan), template_hash=live.template_hash, replicas=live.replicas)
    if not is_ready(newest.revision.service, op.session.reader.poll(handle), replicas=live.replicas):
        return planned
    op.fence()
    op.records.mark(newest, RevisionStatus.DEPLOYED)
    op.step("recorded", f"revision {newest.revision.number} runs, and is recorded as deployed")
    return replace(planned, records=op.records.newest_first())


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


def _converged(op: Operation, planned: Planned, handle: Handle, count: int, *, give_up_at: float | None) -> Waited:
    is_fixed = planned.plan.written_replicas is not None
    return converge(op, handle, planned.plan.service, count, give_up_at=give_up_at, is_fixed=is_fixed)


def _apply(op: Operation, planned: Planned, recorded: Recorded) -> tuple[Handle, int]:
    """Send the definition; a record whose definition the backend refused is closed: nothing is unfinished."""
    try:
        callers.admit(op, planned.calls)
        return _send(op, planned, recorded)
    except LeaseLost:
        raise
    except (UsageError, Conflict) as error:
        refused = str(error)
        quietly(lambda: op.records.mark(recorded, RevisionStatus.FAILED, refused), op, "the record was not closed")
        raise


def _send(op: Operation, planned: Planned, recorded: Recorded) -> tuple[Handle, int]:
    """The handle, and the count that was sent. Nothing is sent when it already stands there (a killed run had got that far)."""
    plan, number = replace(planned.plan, service=planned.plan.service.on_backend()), recorded.revision.number
    if planned.stands:
        return _resume(op, planned), plan.service.replicas or 0

    def arrived(live: Live | None) -> Handle | None:
        projected = dict(op.session.backend.project(plan.service))
        there = live is not None and live.template_hash == plan.template_hash and dict(live.document) == projected
        return _handle(plan) if there else None

    def unmoved(live: Live | None) -> bool:
        nonlocal plan
        then = planned.live
        if live is None or then is None:
            return live is then
        if plan.written_replicas is None:  # nobody fixed the count: what an autoscaler makes of it meanwhile is right
            plan = replace(
                plan, service=plan.service.sized(wanted_replicas(replace(plan.service, replicas=None), live))
            )
            then = replace(then, document={**then.document, "replicas": live.document.get("replicas")})
        return live.template_hash == then.template_hash and {**live.document} == {**then.document}

    def apply(expect: str) -> Handle:
        with Unrepeated(planned.secrets):
            return op.writer.apply(replace(plan, expect=expect), revision=number, secrets=planned.secrets)

    handle = send(op, Write(send=apply, arrived=arrived, unmoved=unmoved), plan.expect, f"apply revision {number}")
    return handle, plan.service.replicas or 0


def _resume(op: Operation, planned: Planned) -> Handle:
    """The definition stands there already. A rollout that was paused when it failed is set going again."""
    handle = _handle(planned.plan)
    if not op.session.reader.poll(handle).paused:
        return handle

    def going(live: Live | None) -> Handle | None:
        return handle if live is not None and not op.session.reader.poll(handle).paused else None

    def unmoved(live: Live | None) -> bool:
        return live is not None and planned.live is not None and live.document == planned.live.document

    def restart(expect: str) -> Handle:
        return op.writer.restart(op.namespace, op.name, expect=expect)

    write = Write(send=restart, arrived=going, unmoved=unmoved)
    return send(op, write, planned.plan.expect, "go on with the paused rollout")


def _handle(plan: Plan) -> Handle:
    return Handle(
        backend=plan.backend,
        namespace=plan.service.namespace,
        service=plan.service.name,
        template_hash=plan.template_hash,
        replicas=plan.service.replicas or 0,
    )


def _finish_good(op: Operation, planned: Planned, recorded: Recorded, began: float) -> None:
    """The new one first: at every moment there is a deployed revision to go back to. Of two, the newer counts."""
    op.fence()
    took_ms = int((op.session.clock.now() - began) * 1000)
    timed = {} if recorded is planned.newest else {estimate.TOOK: str(took_ms)}  # else a killed run began it
    op.records.mark(recorded, RevisionStatus.DEPLOYED, extra=timed)
    op.step("recorded", f"revision {recorded.revision.number} is deployed")
    former = newest_with(planned.records, RevisionStatus.DEPLOYED)
    if former is not None and former.revision.number != recorded.revision.number:
        quietly(lambda: op.records.mark(former, RevisionStatus.SUPERSEDED), op, "the former revision was not marked")
    if planned.records:
        quietly(lambda: _prune(op), op, "old revisions were not pruned")


def _prune(op: Operation) -> None:
    kept = op.records.prune()
    op.writer.prune(op.namespace, op.name, [r.revision.service for r in kept])


def _finish_bad(op: Operation, planned: Planned, recorded: Recorded, handle: Handle, waited: Waited) -> Outcome:
    number = recorded.revision.number
    failures = _keep_evidence(op, number, waited)
    op.fence()
    closed = op.records.mark(recorded, RevisionStatus.FAILED, evidence.summary(failures))
    op.step("failed", f"revision {number} failed: {evidence.summary(failures)}", {"number": number})
    good = newest_with(planned.records, RevisionStatus.DEPLOYED)
    if planned.plan.service.rollout.on_failure is OnFailure.ROLLBACK and good is not None:
        return _go_back(op, planned, closed, good, failures)
    quietly(lambda: op.writer.pause(handle), op, "the rollout could not be paused")
    text = f"revision {number} failed and was left as it is"
    if good is None:
        text += "; there is no earlier good revision to go back to"
    return _failed(op.session, planned, number, text, failures)


def _keep_evidence(op: Operation, number: int, waited: Waited) -> tuple[Failure, ...]:
    """First thing after a bad verdict: what is rolled back is gone."""
    failures = evidence.collect(op.session, op.namespace, op.name, waited.verdict.culprits)
    for failure in failures:
        op.session.tell(EventKind.PROBLEM, op.name, f"{failure.kind.value}: {failure.message}")
    evidence.keep(op.session, op.namespace, op.name, revision=number, progress=waited.progress, failures=failures)
    return failures


def _go_back(op: Operation, planned: Planned, closed: Recorded, good: Recorded, failures: Sequence[Failure]) -> Outcome:
    """Deploy the last good revision again, as a new one, with the count that ran before."""
    bad, target = closed.revision.number, good.revision.number
    undo = op.session.backend.capabilities()[Feature.ROLLOUT_UNDO]
    how = f" ({undo.reason})" if undo.reason else ""
    op.step("rollback", f"rolling back to revision {target}{how}", {"to": target})
    try:
        waited, back = _redeploy(op, good, [closed, *planned.records])
    except Interrupted:  # the rollback did not fail: the next run resumes
        raise
    except OrchctlError as error:
        text = f"revision {bad} failed, and the rollback to revision {target} failed too: {error}"
        return _failed(op.session, planned, bad, text, failures)
    if waited.verdict.state is not State.GOOD:
        again = _keep_evidence(op, back.revision.number, waited)
        op.records.mark(back, RevisionStatus.FAILED, evidence.summary(again))
        text = f"revision {bad} failed, and so did the rollback to revision {target}: {evidence.summary(again)}"
        return _failed(op.session, planned, bad, text, [*failures, *again])
    quietly(lambda: op.records.mark(closed, RevisionStatus.ROLLED_BACK), op, "the failed revision was not marked")
    return Outcome(
        service=op.name,
        state=OutcomeState.ROLLED_BACK,
        revision=back.revision.number,
        exit_code=RolledBack.exit_code,
        error_code=RolledBack.code,
        duration_ms=op.session.elapsed_ms(),
        message=f"revision {bad} failed; revision {target} runs again, as revision {back.revision.number}",
        hint=f"see the cause with: orchctl why {op.name}",
        failures=tuple(failures),
    )


def _redeploy(op: Operation, good: Recorded, records: Sequence[Recorded]) -> tuple[Waited, Recorded]:
    service, (count, by) = good.revision.service, kept_count(good, op.live(), records)
    number, reason = good.revision.number, "automatic rollback"
    options = DeployOptions(rollback_of=number, replicas=count, replicas_by=by, reason=reason)
    planned = _plan(op.session, service, options)
    began = op.session.clock.now()
    recorded = _claim(op, planned, options)
    handle, count = _apply(op, planned, recorded)
    waited = _converged(op, planned, handle, count, give_up_at=None)
    if waited.verdict.state is State.GOOD:
        callers.settle(op, planned.calls, revision=recorded.revision.number)
        _finish_good(op, planned, recorded, began)
    return waited, recorded


def _finish_open(op: Operation, planned: Planned, recorded: Recorded, reason: str) -> Outcome:
    """The instances are good, but the spec's ``allow`` is not true: said, and left as it is."""
    number = recorded.revision.number
    op.fence()
    op.records.mark(recorded, RevisionStatus.FAILED, reason)
    op.step("failed", f"revision {number} failed: {reason}", {"number": number})
    text = f"revision {number} runs, and {reason}"
    hint = "start a Connect proxy for each instance and register it under the service's name, then deploy again"
    return replace(_failed(op.session, planned, number, text, ()), hint=hint)


def _going_on(session: Session, planned: Planned, number: int) -> Outcome:
    left = "" if callers.is_settled(planned.calls) else "who may not call it any more is refused by a deploy that waits"
    return replace(_outcome(session, planned, OutcomeState.IN_PROGRESS, number), message=left)


def _outcome(session: Session, planned: Planned, state: OutcomeState, revision: int) -> Outcome:
    return Outcome(service=planned.plan.service.name, state=state, revision=revision, duration_ms=session.elapsed_ms())


def _failed(session: Session, planned: Planned, revision: int, text: str, failures: Sequence[Failure]) -> Outcome:
    return Outcome(
        service=planned.plan.service.name,
        state=OutcomeState.FAILED,
        revision=revision,
        exit_code=RolloutFailed.exit_code,
        error_code=RolloutFailed.code,
        duration_ms=session.elapsed_ms(),
        message=text,
        hint=f"see the cause with: orchctl why {planned.plan.service.name}",
        failures=tuple(failures),
    )
