"""What ``orchctl doctor`` looks at in a swarm: the engine, its managers, its clock, the certificates' last day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from orchctl.core.check import Check, Health, certificate_end, clock, last_day, moment
from orchctl.errors import Unreachable, UsageError
from orchctl_swarm.client import Reading


def checks(reading: Reading) -> Iterator[Check]:
    yield version(reading.get("/version"))
    info = reading.get("/info")
    yield managers(info.get("Swarm") or {})
    now = datetime.now(UTC)
    yield clock(time_of(str(info.get("SystemTime"))), now, whose="engine")
    if end := reading.peer_certificate().get("notAfter"):
        yield last_day("engine certificate", moment(end), now)
    if reading.client_certificate and (until := certificate_end(reading.client_certificate)):
        yield last_day("client certificate", until, now)


def version(found: Mapping[str, Any]) -> Check:
    finding = f"Engine {found.get('Version', '?')}, API {found.get('ApiVersion', '?')}"
    return Check(name="version", health=Health.GOOD, finding=finding)


def managers(swarm: Mapping[str, Any]) -> Check:
    """``swarm`` as ``GET /info`` has it."""
    if not swarm.get("ControlAvailable"):
        hint = "name a manager in the context's host, or make this node one: docker swarm init"
        finding = "this engine is no swarm manager"
        return Check(name="managers", health=Health.BAD, finding=finding, hint=hint, exit_code=UsageError.exit_code)
    if error := swarm.get("Error"):
        hint = "have the managers lost their majority? docker node ls on another one"
        code = Unreachable.exit_code
        return Check(name="managers", health=Health.BAD, finding=str(error), hint=hint, exit_code=code)
    count, nodes = swarm.get("Managers"), swarm.get("Nodes")
    if count == 2:
        finding = "2 managers: without one of them nothing can be changed any more"
        hint = "three bear the loss of one: docker node promote"
        return Check(name="managers", health=Health.WARNING, finding=finding, hint=hint)
    finding = f"this engine is one; managers: {count}, nodes: {nodes}"
    return Check(name="managers", health=Health.GOOD, finding=finding)


def time_of(text: str) -> datetime | None:
    """ISO 8601, as the engine writes it; None for anything else."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
