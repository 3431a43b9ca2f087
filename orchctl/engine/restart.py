"""Replace every instance without changing anything."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchctl.core.backend import Live
from orchctl.core.revision import Recorded
from orchctl.core.rollout import Handle, Outcome, OutcomeState
from orchctl.core.service import Service
from orchctl.engine.converge import converge
from orchctl.engine.current import handle_of, live_record, owned, service_of
from orchctl.engine.evidence import not_ready
from orchctl.engine.operation import Limits, Operation, operation, quietly
from orchctl.engine.sending import Write, send, version_of
from orchctl.engine.session import Session
from orchctl.engine.verdict import State

_BEGUN = "restarting"
"""Key of the record's metadata: when a restart was begun whose end nobody has seen, and ``Live.restarts`` before it."""


def restart(session: Session, namespace: str, name: str, limits: Limits) -> Outcome:
    """Roll all instances under the service's own rollout policy; no revision is made.

    One that was not watched to its end (``--timeout``, a kill) is waited for instead of begun again, until
    ``rollout.deadline`` from its beginning is over.
    """
    with operation(session, namespace, name, "restart", limits) as op:
        live = owned(op.live(), name, namespace)
        records = op.records.newest_first()
        current = records[0] if records else None
        running = live_record(live, records)
        service, number = service_of(running, namespace, name), running.revision.number if running else 0
        if begun := _under_way(op, live, current, service):
            op.step("adopt", f"the restart of {begun} was not watched to its end; waiting for it")
            handle = handle_of(op, live, live.replicas)
        else:
            current = _note(op, current, f"{session.clock.wall()} {live.restarts}")
            handle = _send(op, live)
        if not limits.wait:
            _note(op, current, "")
            return Outcome(
                service=name, state=OutcomeState.IN_PROGRESS, revision=number, duration_ms=session.elapsed_ms()
            )
        count = live.replicas if service.scaling is None else handle.replicas
        waited = converge(op, handle, service, count, give_up_at=op.give_up_at, is_fixed=False)
        _note(op, current, "")
        if waited.verdict.state is State.GOOD:
            return op.publisher.after(
                Outcome(service=name, state=OutcomeState.CONVERGED, revision=number, duration_ms=session.elapsed_ms())
            )
        text = "the restarted instances did not become ready"
        return op.publisher.after(not_ready(session, service, number, waited, text))


def _send(op: Operation, live: Live) -> Handle:
    def arrived(now: Live | None) -> Handle | None:
        there = now is not None and now.template_hash == live.template_hash and now.restarts != live.restarts
        return handle_of(op, now, now.replicas) if now is not None and there else None

    def unmoved(now: Live | None) -> bool:
        return now is not None and now.template_hash == live.template_hash and now.restarts == live.restarts

    def apply(now: Live | None) -> Handle:
        return op.writer.restart(op.namespace, op.name, expect=version_of(now))

    return send(op, Write(send=apply, arrived=arrived, unmoved=unmoved), live, "restart")


def _under_way(op: Operation, live: Live, current: Recorded | None, service: Service) -> str:
    """When it was begun; "" when none is. Bounded in time, since the wish to restart once more is said in the same words."""
    at, _, before = (current.extra.get(_BEGUN, "") if current else "").partition(" ")
    if not at or before == live.restarts:
        return ""
    try:
        age = datetime.fromisoformat(op.session.clock.wall()) - datetime.fromisoformat(at)
    except ValueError:  # somebody has edited the note
        return ""
    return at if age <= timedelta(milliseconds=service.rollout.deadline_ms) else ""


def _note(op: Operation, current: Recorded | None, begun: str) -> Recorded | None:
    """The record as it is then. Only a help for the next run."""
    if current is None or current.extra.get(_BEGUN, "") == begun:
        return current
    noted = quietly(lambda: op.records.note(current, {_BEGUN: begun}), op, "the restart was not noted in the record")
    return noted or current
