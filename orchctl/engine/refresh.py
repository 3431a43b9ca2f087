"""Entries of services that a deploy left as they are: the same command repairs a catalog that was away before."""

from __future__ import annotations

from collections.abc import Sequence

from orchctl.core.catalogs import Directory, Listed, Owner, open_directory
from orchctl.core.rollout import Outcome
from orchctl.core.service import Service
from orchctl.engine.history import load_namespace
from orchctl.engine.operation import Limits, operation
from orchctl.engine.publish import listings, registration_of, told
from orchctl.engine.session import Session
from orchctl.errors import Interrupted, OrchctlError


def refreshed(
    session: Session, services: Sequence[Service], outcomes: Sequence[Outcome], limits: Limits
) -> list[Outcome]:
    """``outcomes`` of unchanged ``services``, in their order. One look at the catalog for all; a lease for what differs."""
    if not limits.wait or not any(registration_of(s, session.context) for s in services):
        return [*outcomes]
    try:
        with open_directory(session.context) as directory:
            looked = _Look(session, directory, services)
            return [looked.after(s, o, limits) for s, o in zip(services, outcomes, strict=True)]
    except Interrupted:
        raise
    except OrchctlError as error:
        return [_told(session, s, o, error) for s, o in zip(services, outcomes, strict=True)]


class _Look:
    """At the catalog and at the records, once."""

    def __init__(self, session: Session, directory: Directory, services: Sequence[Service]) -> None:
        self._session, self._directory = session, directory
        self._listed: dict[Owner, Listed] = directory.listed()
        self._records, _ = load_namespace(session.store, services[0].namespace)

    def after(self, service: Service, outcome: Outcome, limits: Limits) -> Outcome:
        if registration_of(service, self._session.context) is None:
            return outcome
        return told(outcome, lambda: self._publish(service, limits))

    def _publish(self, service: Service, limits: Limits) -> None:
        owner = (service.namespace, service.name)
        wanted = listings(self._session, service, self._records.get(service.name, ()))
        if self._directory.differs(self._listed.get(owner, Listed()), owner, wanted):
            with operation(self._session, *owner, "deploy", limits) as op:
                op.publisher.publish()


def _told(session: Session, service: Service, outcome: Outcome, error: OrchctlError) -> Outcome:
    def again() -> None:
        raise error

    return told(outcome, again) if registration_of(service, session.context) else outcome
