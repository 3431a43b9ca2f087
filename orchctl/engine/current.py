"""What stands on the backend now, for verbs that work on it as it is."""

from __future__ import annotations

from orchctl.core.backend import Live
from orchctl.core.revision import Recorded
from orchctl.core.rollout import Handle
from orchctl.core.service import Service
from orchctl.engine.operation import Operation
from orchctl.errors import ForeignObject, NotFound


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


def handle_of(op: Operation, live: Live, replicas: int) -> Handle:
    """What waits for ``replicas`` instances of the definition that stands there."""
    return Handle(
        backend=op.session.backend.name,
        namespace=op.namespace,
        service=op.name,
        template_hash=live.template_hash,
        replicas=replicas,
    )
