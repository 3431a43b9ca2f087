"""Remove a service and everything orchctl made for it; wait until it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchctl.core.backend import Live
from orchctl.core.rollout import Handle, Outcome, OutcomeState
from orchctl.engine import callers, journal
from orchctl.engine.current import owned
from orchctl.engine.operation import Limits, Operation, operation
from orchctl.engine.publish import told
from orchctl.engine.sending import Write, send, version_of
from orchctl.engine.session import Session
from orchctl.engine.wait import wait_until_gone
from orchctl.errors import NotFound

DEADLINE_S = 300.0
"""Without --timeout: how long instances may take to stop before the command ends as "still in progress"."""


def delete(session: Session, namespace: str, name: str, limits: Limits, *, keep_history: bool = False) -> Outcome:
    """Workload first, then generated objects, records, evidence and the lease itself.

    A killed delete is finished by the next one, also when only the records are left. NotFound when
    there is neither a service nor a record of it.
    """
    _refuse_unknown(session, namespace, name)
    with operation(session, namespace, name, "delete", limits) as op:
        live = op.live()
        callers.refuse_to_leave_a_rule(session, name, op.records.newest_first())
        withdrawn = op.publisher.withdrawn_first()
        gone = Handle(backend=session.backend.name, namespace=namespace, service=name, template_hash="", replicas=0)
        if live is not None:
            gone = _remove_workload(op, owned(live, name, namespace), gone)
        if limits.wait:  # also when a killed run had sent it: its instances may still be stopping
            give_up_at = op.give_up_at or session.clock.now() + DEADLINE_S
            wait_until_gone(session, gone, lease=op.lease, give_up_at=give_up_at)
        elif live is not None:
            return Outcome(service=name, state=OutcomeState.IN_PROGRESS, duration_ms=session.elapsed_ms())
        callers.forget(op)
        op.step("prune", "removing what was generated")
        kept = [r.revision.service for r in op.records.newest_first()] if keep_history else []
        op.writer.prune(namespace, name, kept)
        outcome = Outcome(service=name, state=OutcomeState.DELETED)
        if not withdrawn:
            # Before the lease goes, or it could take away what the next deployer has listed; and before the records go,
            # since a killed delete is run again on their word that something is listed.
            op.fence()
            outcome = told(outcome, op.publisher.withdraw)
        if not keep_history:
            op.fence()
            op.records.remove_all()
        op.step("deleted", "deleted")
        op.lease.remove()
        outcome = replace(outcome, duration_ms=session.elapsed_ms())
    if not keep_history:
        journal.forget(session.context, namespace=namespace, name=name)
    return outcome


def left_of(session: Session, namespace: str, names: Sequence[str]) -> set[str]:
    """Those of ``names`` that run, or of which anything is left, be it only a killed deployer's lease."""
    kept = {entry.key.split("/")[1] for entry in session.store.list(f"{namespace}/")}
    return {*session.reader.live(namespace, names), *kept} & {*names}


def _refuse_unknown(session: Session, namespace: str, name: str) -> None:
    """Before a lease is made for a service that does not exist."""
    if not left_of(session, namespace, [name]):
        raise NotFound(
            f"there is no service {name!r} in namespace {namespace!r}", hint="see what there is: orchctl status"
        )


def _remove_workload(op: Operation, live: Live, gone: Handle) -> Handle:
    def arrived(now: Live | None) -> Handle | None:
        return gone if now is None else None

    def unmoved(now: Live | None) -> bool:
        """Whatever changed meanwhile, it is to be removed."""
        return now is not None and now.owned

    def apply(now: Live | None) -> Handle:
        return op.writer.delete(op.namespace, op.name, expect=version_of(now))

    return send(op, Write(send=apply, arrived=arrived, unmoved=unmoved), live, "delete")
