"""Deploy one service: plan, lease, roll out, finish; the way back when it fails. Re-running after a kill converges."""

from __future__ import annotations

from dataclasses import replace

from orchctl.core.plan import Policy
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import EventKind, Outcome, OutcomeState
from orchctl.core.service import Service
from orchctl.engine import build_order, callers, evidence
from orchctl.engine.lease import Lease
from orchctl.engine.operation import Limits, Operation, operation
from orchctl.engine.plan import Planned
from orchctl.engine.refresh import refreshed
from orchctl.engine.rollout import (
    DeployOptions,
    RolledOut,
    finish_good,
    handle_of_plan,
    is_same,
    plan_asked,
    roll_out,
)
from orchctl.engine.session import Session
from orchctl.engine.verdict import State, is_ready
from orchctl.engine.wait import wait
from orchctl.engine.way_back import finish_bad
from orchctl.errors import StalePlan


def deploy(session: Session, service: Service, options: DeployOptions, *, before: Planned | None = None) -> Outcome:
    """Make ``service`` run and say how it ended. Looks first; when nothing changes, nothing is locked or written.

    ``before``: a plan made just now, which saves the first look.
    """
    before = before or plan_asked(session, service, options)
    tell_warnings(session, before)
    refuse_older_build(before, options)
    if is_done(before, options):
        _refuse_stale(before, options)
        return refreshed(session, [before.plan.service], [stands(session, before, options.limits)], options.limits)[0]
    with operation(session, service.namespace, service.name, "deploy", options.limits) as op:
        planned = _recognised(op, plan_asked(session, service, options), options)
        _refuse_stale(planned, options)
        refuse_older_build(planned, options)
        if planned.is_unchanged:  # the other deployer, for whom we waited, did the same
            _note_source(op, planned, options)
            return stands(session, planned, options.limits, lease=op.lease)
        outcome = _roll_out(op, planned, options)
        return op.publisher.after(outcome) if options.limits.wait else outcome


def tell_warnings(session: Session, planned: Planned) -> None:
    """What the plan says about this service; who deploys without looking at it first must not miss it."""
    for issue in planned.plan.issues:
        if issue.policy is Policy.WARN:
            session.tell(EventKind.WARNING, planned.plan.service.name, f"{issue.path}: {issue.message}")


def is_done(planned: Planned, options: DeployOptions) -> bool:
    """Nothing is to be sent, and nothing noted."""
    return planned.is_unchanged and not build_order.is_news(planned.records, options.source_seq)


def stands(session: Session, planned: Planned, limits: Limits, *, lease: Lease | None = None) -> Outcome:
    """Nothing is to be sent; that is the whole story only of what is ready. The rest is waited for as after a write, and
    nothing is undone: nothing was done."""
    handle, service, number = handle_of_plan(planned.plan), planned.plan.service, planned.plan.base_revision
    unchanged = _outcome(session, planned, OutcomeState.UNCHANGED, number)
    if is_ready(service, session.reader.poll(handle), replicas=handle.replicas):
        return unchanged
    if not limits.wait:
        return replace(unchanged, state=OutcomeState.IN_PROGRESS)
    is_fixed, give_up_at = planned.plan.written_replicas is not None, limits.give_up_at(session)
    waited = wait(session, handle, service, lease=lease, give_up_at=give_up_at, is_fixed=is_fixed, is_new=False)
    if waited.verdict.state is State.GOOD:
        return replace(unchanged, duration_ms=session.elapsed_ms())
    text = f"revision {number} is as asked for, but its instances are not ready"
    return evidence.not_ready(session, service, number, waited, text)


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
    done = roll_out(op, planned, options, give_up_at=op.give_up_at)
    if done.waited is None:
        return _going_on(op.session, planned, done.number)
    if not done.is_good:
        return finish_bad(op, done, done.waited)
    callers.settle(op, planned.calls, revision=done.number)
    if reason := callers.unenforced(op, planned.calls, planned.plan.service):
        return _finish_open(op, done, reason)
    finish_good(op, done)
    return _outcome(op.session, planned, OutcomeState.CONVERGED, done.number)


def _recognised(op: Operation, planned: Planned, options: DeployOptions) -> Planned:
    """A pending revision that runs as it should was deployed, although nobody watched it to its end (``--no-wait``, a kill):
    what follows can go back to it."""
    newest, live = planned.newest, planned.live
    if newest is None or newest.status is not RevisionStatus.PENDING or is_same(newest.revision, planned.plan, options):
        return planned
    if live is None or live.template_hash != newest.revision.template_hash:
        return planned
    handle = replace(handle_of_plan(planned.plan), template_hash=live.template_hash, replicas=live.replicas)
    if not is_ready(newest.revision.service, op.session.reader.poll(handle), replicas=live.replicas):
        return planned
    op.fence()
    op.records.mark(newest, RevisionStatus.DEPLOYED)
    op.step("recorded", f"revision {newest.revision.number} runs, and is recorded as deployed")
    return replace(planned, records=op.records.newest_first())


def _finish_open(op: Operation, done: RolledOut, reason: str) -> Outcome:
    """The instances are good, but the spec's ``allow`` is not true: said, and left as it is."""
    number = done.number
    op.fence()
    op.records.mark(done.recorded, RevisionStatus.FAILED, reason)
    op.step("failed", f"revision {number} failed: {reason}", {"number": number})
    text = f"revision {number} runs, and {reason}"
    hint = "start a Connect proxy for each instance and register it under the service's name, then deploy again"
    return replace(evidence.failed(op.session, op.name, number, text, ()), hint=hint)


def _going_on(session: Session, planned: Planned, number: int) -> Outcome:
    left = "" if callers.is_settled(planned.calls) else "who may not call it any more is refused by a deploy that waits"
    return replace(_outcome(session, planned, OutcomeState.IN_PROGRESS, number), message=left)


def _outcome(session: Session, planned: Planned, state: OutcomeState, revision: int) -> Outcome:
    return Outcome(service=planned.plan.service.name, state=state, revision=revision, duration_ms=session.elapsed_ms())
