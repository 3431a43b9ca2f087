"""Replace every instance without changing anything."""

from __future__ import annotations

from orchctl.core.backend import Live
from orchctl.core.rollout import Handle, Outcome, OutcomeState
from orchctl.engine.operation import Limits, Write, operation, send
from orchctl.engine.scale import converge, failed, owned, service_of
from orchctl.engine.session import Session
from orchctl.engine.verdict import State


def restart(session: Session, namespace: str, name: str, limits: Limits) -> Outcome:
    """Roll all instances under the service's own rollout policy; no revision is made."""
    with operation(session, namespace, name, "restart", limits) as op:
        live = owned(op.live(), name, namespace)
        records = op.records.newest_first()
        current = records[0] if records else None

        def moved(now: Live | None) -> Handle | None:
            """A lost answer: somebody under our lease moved the version, and only we write there."""
            if now is None or now.expect == live.expect or now.template_hash != live.template_hash:
                return None
            return Handle(
                backend=session.backend.name,
                namespace=namespace,
                service=name,
                template_hash=now.template_hash,
                replicas=now.replicas,
            )

        def unmoved(now: Live | None) -> bool:
            return now is not None and now.document == live.document

        def apply(expect: str) -> Handle:
            return op.writer.restart(namespace, name, expect=expect)

        handle = send(op, Write(send=apply, arrived=moved, unmoved=unmoved), live.expect, "restart")
        number = current.revision.number if current else 0
        if not limits.wait:
            return Outcome(
                service=name, state=OutcomeState.IN_PROGRESS, revision=number, duration_ms=session.elapsed_ms()
            )
        service = service_of(current, namespace, name)
        count = live.replicas if service.scaling is None else handle.replicas
        waited = converge(op, handle, service, count, give_up_at=op.give_up_at)
        if waited.verdict.state is State.GOOD:
            return op.publisher.after(
                Outcome(service=name, state=OutcomeState.CONVERGED, revision=number, duration_ms=session.elapsed_ms())
            )
        return op.publisher.after(failed(op, current, waited, "the restarted instances did not become ready"))
