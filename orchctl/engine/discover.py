"""Where a service can be reached now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchctl.core.endpoint import Endpoint
from orchctl.core.revision import Recorded
from orchctl.engine.history import Records
from orchctl.engine.session import Session
from orchctl.engine.status import revision_of


def discover(session: Session, namespace: str, name: str) -> list[Endpoint]:
    """Every endpoint with its revision, ready ones first, in a stable order. NotFound when there is no such service."""
    found = session.reader.endpoints(namespace, name)
    records = Records(session.store, namespace, name).newest_first()
    return _named(found, records)


def endpoints_of(session: Session, namespace: str, name: str, records: Sequence[Recorded]) -> list[Endpoint]:
    """The same with records that were read already."""
    return _named(session.reader.endpoints(namespace, name), records)


def _named(found: Sequence[Endpoint], records: Sequence[Recorded]) -> list[Endpoint]:
    named = [replace(e, revision=revision_of(e.template_hash, records) if e.template_hash else 0) for e in found]
    return sorted(named, key=lambda e: (not e.ready, e.port_name, e.instance, e.host, e.port))
