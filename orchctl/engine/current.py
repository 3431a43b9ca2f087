"""What stands on the backend now, for verbs that work on it as it is."""

from __future__ import annotations

from collections.abc import Sequence

from orchctl.core.backend import Live
from orchctl.core.revision import Recorded, RevisionStatus
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


def live_record(live: Live, records: Sequence[Recorded]) -> Recorded | None:
    """The newest record of the definition that stands there, rather a good one: the bounds, checks and deadline of a revision
    that never arrived are not those of what runs. The newest where none is of it."""
    same = [r for r in records if r.revision.template_hash == live.template_hash]
    good = [r for r in same if r.status is not RevisionStatus.FAILED]
    return next(iter((*good, *same, *records)), None)


def service_of(running: Recorded | None, namespace: str, name: str) -> Service:
    """What the record says; the defaults when every record is lost."""
    return running.revision.service if running else Service(name=name, namespace=namespace)


def handle_of(op: Operation, live: Live, replicas: int) -> Handle:
    """What waits for ``replicas`` instances of the definition that stands there."""
    return Handle(
        backend=op.session.backend.name,
        namespace=op.namespace,
        service=op.name,
        template_hash=live.template_hash,
        replicas=replicas,
    )
