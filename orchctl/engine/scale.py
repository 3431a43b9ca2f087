"""Change a count and nothing else; no revision is made, the count is remembered with the current one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchctl.core.backend import Live
from orchctl.core.revision import Recorded
from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.core.service import Service
from orchctl.engine.converge import converge, send_count
from orchctl.engine.current import handle_of, live_record, owned, service_of
from orchctl.engine.evidence import not_ready
from orchctl.engine.operation import Limits, Operation, operation, quietly
from orchctl.engine.session import Session
from orchctl.engine.verdict import State, is_ready
from orchctl.errors import UsageError

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
        running = live_record(live, records)
        service, number = service_of(running, namespace, name), running.revision.number if running else 0
        wanted = _bounded(target.of(live.replicas), service)
        noted = wanted == live.replicas and current is not None and _is_noted(current, wanted)
        if noted and _stands(op, live, service):
            unchanged = Outcome(
                service=name,
                state=OutcomeState.UNCHANGED,
                revision=number,
                duration_ms=session.elapsed_ms(),
                details={"replicas": wanted},
            )
            return op.publisher.after(unchanged)
        handle = send_count(op, live, wanted)
        if not noted:
            _note(op, current, wanted)
        if not limits.wait:
            return _done(session, name, OutcomeState.IN_PROGRESS, number, live.replicas, wanted)
        waited = converge(op, handle, service, handle.replicas, give_up_at=op.give_up_at)
        if waited.verdict.state is State.GOOD:
            return op.publisher.after(_done(session, name, OutcomeState.CONVERGED, number, live.replicas, wanted))
        text = f"scaled to {wanted}, but not all instances became ready"
        return op.publisher.after(not_ready(session, service, number, waited, text))


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


def _note(op: Operation, current: Recorded | None, wanted: int) -> None:
    if current is None:
        return
    by = f"{op.session.clock.wall()} by {op.session.holder.name}"
    quietly(lambda: op.records.note_scale(current, wanted, by), op, "the count was not noted in the record")


def _done(session: Session, name: str, state: OutcomeState, number: int, before: int, wanted: int) -> Outcome:
    return Outcome(
        service=name,
        state=state,
        revision=number,
        duration_ms=session.elapsed_ms(),
        details={"replicas_before": before, "replicas": wanted},
    )
