"""After a bad verdict: the evidence first, then the last good revision again, or everything left as it is."""

from __future__ import annotations

from collections.abc import Sequence

from orchctl.core.capability import Feature
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.core.rollout import Failure, Outcome, OutcomeState
from orchctl.core.service import OnFailure
from orchctl.engine import callers, evidence
from orchctl.engine.counts import kept_count
from orchctl.engine.history import newest_with
from orchctl.engine.operation import Operation, quietly
from orchctl.engine.plan import look
from orchctl.engine.rollout import DeployOptions, RolledOut, finish_good, plan_asked, roll_out
from orchctl.engine.wait import Waited
from orchctl.errors import Interrupted, OrchctlError, RolledBack


def finish_bad(op: Operation, bad: RolledOut, waited: Waited) -> Outcome:
    """Close its record, and go back where the spec says so and there is a revision to go back to."""
    planned, number = bad.planned, bad.number
    failures = evidence.gathered(op.session, planned.plan.service, number, waited)
    op.fence()
    closed = op.records.mark(bad.recorded, RevisionStatus.FAILED, evidence.summary(failures))
    op.step("failed", f"revision {number} failed: {evidence.summary(failures)}", {"number": number})
    good = newest_with(planned.records, RevisionStatus.DEPLOYED)
    if planned.plan.service.rollout.on_failure is OnFailure.ROLLBACK and good is not None:
        return _go_back(op, closed, good, failures)
    quietly(lambda: op.writer.pause(bad.handle), op, "the rollout could not be paused")
    text = f"revision {number} failed and was left as it is"
    if good is None:
        text += "; there is no earlier good revision to go back to"
    return evidence.failed(op.session, op.name, number, text, failures)


def _go_back(op: Operation, closed: Recorded, good: Recorded, failures: Sequence[Failure]) -> Outcome:
    """Deploy the last good revision again, as a new one, with the count that ran before."""
    bad, target = closed.revision.number, good.revision.number
    undo = op.session.backend.capabilities()[Feature.ROLLOUT_UNDO]
    how = f" ({undo.reason})" if undo.reason else ""
    op.step("rollback", f"rolling back to revision {target}{how}", {"to": target})
    try:
        back = _redeploy(op, good)
    except Interrupted:  # the rollback did not fail: the next run resumes
        raise
    except OrchctlError as error:
        text = f"revision {bad} failed, and the rollback to revision {target} failed too: {error}"
        return evidence.failed(op.session, op.name, bad, text, failures)
    if back.waited is not None and not back.is_good:
        again = evidence.gathered(op.session, good.revision.service, back.number, back.waited)
        op.records.mark(back.recorded, RevisionStatus.FAILED, evidence.summary(again))
        text = f"revision {bad} failed, and so did the rollback to revision {target}: {evidence.summary(again)}"
        return evidence.failed(op.session, op.name, bad, text, [*failures, *again])
    quietly(lambda: op.records.mark(closed, RevisionStatus.ROLLED_BACK), op, "the failed revision was not marked")
    return Outcome(
        service=op.name,
        state=OutcomeState.ROLLED_BACK,
        revision=back.number,
        exit_code=RolledBack.exit_code,
        error_code=RolledBack.code,
        duration_ms=op.session.elapsed_ms(),
        message=f"revision {bad} failed; revision {target} runs again, as revision {back.number}",
        hint=f"see the cause with: orchctl why {op.name}",
        failures=tuple(failures),
    )


def _redeploy(op: Operation, good: Recorded) -> RolledOut:
    service, number = good.revision.service, good.revision.number
    seen = look(op.session, service)
    count, by = kept_count(good, seen.live.get(op.name), seen.records)
    options = DeployOptions(rollback_of=number, replicas=count, replicas_by=by, reason="automatic rollback")
    planned = plan_asked(op.session, service, options, seen)
    back = roll_out(op, planned, options, give_up_at=None)
    if back.is_good:
        callers.settle(op, planned.calls, revision=back.number)
        finish_good(op, back)
    return back
