"""Change a count and nothing else; no revision is made, the count is remembered with the current one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchctl.core.backend import Live
from orchctl.core.revision import Recorded
from orchctl.core.rollout import EventKind, Handle, Outcome, OutcomeState, Progress
from orchctl.core.service import Service
from orchctl.engine import evidence
from orchctl.engine.operation import Limits, Operation, Write, operation, quietly, send
from orchctl.engine.remind import Reminder
from orchctl.engine.session import Session
from orchctl.engine.verdict import State, is_ready
from orchctl.engine.wait import Waited, wait
from orchctl.errors import ForeignObject, NotFound, RolloutFailed, UsageError

_TARGET = re.compile(r"([+-]?)(\d{1,6})(%?)")
MOST_REPLICAS = 10_000


@dataclass(frozen=True, slots=True)
class ScaleTarget:
    """``5`` absolute, ``+2`` / ``-1`` relative, ``50%`` of the live count, ``+50%`` relative."""

    value: int
    sign: int = 0
    percent: bool = False

    def of(self, replicas: int) -> int:
        """The wanted count from the live one; percentages round up, so that one replica never becomes none."""
        amount = -(-self.value * replicas // 100) if self.percent else self.value
        return max(0, replicas + self.sign * amount) if self.sign else amount


def parse_target(text: str) -> ScaleTarget:
    """ScaleTarget of ``5``, ``+2``, ``-1``, ``50%`` or ``+50%``; UsageError otherwise."""
    match = _TARGET.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} is not a scale target", hint="write for example web=5, web=+2, web=-1 or web=50%")
    return ScaleTarget(int(match[2]), {"": 0, "+": 1, "-": -1}[match[1]], bool(match[3]))


def scale(session: Session, namespace: str, name: str, target: ScaleTarget, limits: Limits) -> Outcome:
    """Set the count and wait until it is there."""
    with operation(session, namespace, name, "scale", limits) as op:
        live = owned(op.live(), name, namespace)
        records = op.records.newest_first()
        current = records[0] if records else None
        service = service_of(current, namespace, name)
        wanted = _bounded(target.of(live.replicas), service)
        noted = wanted == live.replicas and current is not None and _is_noted(current, wanted)
        if noted and current is not None and _stands(op, live, service):
            unchanged = Outcome(
                service=name,
                state=OutcomeState.UNCHANGED,
                revision=current.revision.number,
                duration_ms=session.elapsed_ms(),
                details={"replicas": wanted},
            )
            return op.publisher.after(unchanged)
        handle = _send(op, live, wanted)
        if not noted:
            _note(op, current, wanted)
        if not limits.wait:
            return _done(session, name, OutcomeState.IN_PROGRESS, current, live.replicas, wanted)
        waited = converge(op, handle, service, handle.replicas, give_up_at=op.give_up_at)
        if waited.verdict.state is State.GOOD:
            return op.publisher.after(_done(session, name, OutcomeState.CONVERGED, current, live.replicas, wanted))
        number = current.revision.number if current else 0
        text = f"scaled to {wanted}, but not all instances became ready"
        return op.publisher.after(failed(session, service, number, waited, text))


def owned(live: Live | None, name: str, namespace: str) -> Live:
    """The live service; NotFound when there is none, ForeignObject when it is not ours."""
    if live is None:
        raise NotFound(
            f"there is no service {name!r} in namespace {namespace!r}", hint="see what there is: orchctl status"
        )
    if not live.owned:
        raise ForeignObject(f"{name!r} in namespace {namespace!r} was not made by orchctl; it is left alone")
    return live


def service_of(current: Recorded | None, namespace: str, name: str) -> Service:
    """What the newest record says; the defaults when every record is lost."""
    return current.revision.service if current else Service(name=name, namespace=namespace)


def failed(session: Session, service: Service, number: int, waited: Waited, text: str) -> Outcome:
    """An operation that made no revision and did not converge: evidence kept, nothing undone."""
    namespace, name = service.namespace, service.name
    failures = evidence.collect(session, namespace, name, waited.verdict.culprits)
    evidence.keep(session, namespace, name, revision=number, progress=waited.progress, failures=failures)
    for failure in failures:
        session.tell(EventKind.PROBLEM, name, f"{failure.kind.value}: {failure.message}")
    return Outcome(
        service=name,
        state=OutcomeState.FAILED,
        revision=number,
        exit_code=RolloutFailed.exit_code,
        error_code=RolloutFailed.code,
        duration_ms=session.elapsed_ms(),
        message=f"{text}: {evidence.summary(failures)}",
        hint=f"see the cause with: orchctl why {name}",
        failures=failures,
    )


def _is_noted(current: Recorded, wanted: int) -> bool:
    return wanted in (current.replicas_override, current.revision.replicas)


def _stands(op: Operation, live: Live, service: Service) -> bool:
    """The count that is wanted already is ready, too; the same command after a time-out waits on."""
    handle = handle_of(op, live, live.replicas)
    return is_ready(service, op.session.reader.poll(handle), replicas=handle.replicas)


def _bounded(wanted: int, service: Service) -> int:
    bounds = service.scaling
    if bounds is not None and not bounds.min <= wanted <= bounds.max:
        raise UsageError(
            f"{wanted} replicas of {service.name!r} are outside its bounds {bounds.min}..{bounds.max} (scale in the spec)"
        )
    if wanted > MOST_REPLICAS:
        raise UsageError(f"{wanted} replicas are more than orchctl sends at once ({MOST_REPLICAS})")
    return wanted


def handle_of(op: Operation, live: Live, replicas: int) -> Handle:
    """What waits for ``replicas`` instances of the definition that stands there."""
    return Handle(
        backend=op.session.backend.name,
        namespace=op.namespace,
        service=op.name,
        template_hash=live.template_hash,
        replicas=replicas,
    )


def _send(op: Operation, live: Live, wanted: int) -> Handle:
    target = handle_of(op, live, wanted)
    if live.replicas == wanted:
        return target

    def arrived(now: Live | None) -> Handle | None:
        return target if now is not None and now.replicas == wanted else None

    def unmoved(now: Live | None) -> bool:
        return now is not None and now.replicas == live.replicas and now.template_hash == live.template_hash

    def apply(expect: str) -> Handle:
        return op.writer.scale(op.namespace, op.name, wanted, expect=expect)

    write = Write(send=apply, arrived=arrived, unmoved=unmoved)
    return send(op, write, live.expect, f"scale {live.replicas} -> {wanted}")


def converge(
    op: Operation,
    handle: Handle,
    service: Service,
    count: int,
    *,
    give_up_at: float | None,
    is_fixed: bool = True,
) -> Waited:
    """Wait for what was sent; where the backend needed more instances on the way, then for ``count``, of which no note is
    made."""

    def waited_for(sent: Handle) -> Waited:
        reminder = Reminder(op, sent)

        def saw(service: Service, progress: Progress) -> None:
            op.publisher.saw(service, progress)
            reminder.saw(progress)

        return wait(op.session, sent, service, lease=op.lease, give_up_at=give_up_at, saw=saw, is_fixed=is_fixed)

    waited = waited_for(handle)
    if waited.verdict.state is not State.GOOD or handle.replicas == count:
        return waited
    return waited_for(_send(op, owned(op.live(), op.name, op.namespace), count))


def _note(op: Operation, current: Recorded | None, wanted: int) -> None:
    if current is None:
        return
    by = f"{op.session.clock.wall()} by {op.session.holder.name}"
    quietly(lambda: op.records.note_scale(current, wanted, by), op, "the count was not noted in the record")


def _done(
    session: Session, name: str, state: OutcomeState, current: Recorded | None, before: int, wanted: int
) -> Outcome:
    return Outcome(
        service=name,
        state=state,
        revision=current.revision.number if current else 0,
        duration_ms=session.elapsed_ms(),
        details={"replicas_before": before, "replicas": wanted},
    )
