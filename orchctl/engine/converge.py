"""From what was sent to a verdict."""

from __future__ import annotations

from orchctl.core.backend import Live
from orchctl.core.rollout import Handle, Progress
from orchctl.core.service import Service
from orchctl.engine.current import handle_of, owned
from orchctl.engine.operation import Operation
from orchctl.engine.remind import Reminder
from orchctl.engine.sending import Write, send, version_of
from orchctl.engine.verdict import State
from orchctl.engine.wait import Waited, wait


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
    return waited_for(send_count(op, owned(op.live(), op.name, op.namespace), count))


def send_count(op: Operation, live: Live, wanted: int) -> Handle:
    """Change the count of ``live`` and nothing else; nothing is sent when it is that already."""
    target = handle_of(op, live, wanted)
    if live.replicas == wanted:
        return target

    def arrived(now: Live | None) -> Handle | None:
        return target if now is not None and now.replicas == wanted else None

    def unmoved(now: Live | None) -> bool:
        return now is not None and now.replicas == live.replicas and now.template_hash == live.template_hash

    def apply(now: Live | None) -> Handle:
        return op.writer.scale(op.namespace, op.name, wanted, expect=version_of(now))

    write = Write(send=apply, arrived=arrived, unmoved=unmoved)
    return send(op, write, live, f"scale {live.replicas} -> {wanted}")
