"""Where the replicas of a service can be reached; pure."""

from __future__ import annotations

from orchctl.core.endpoint import Endpoint
from orchctl_local.model import Desired, Status, Step


def endpoints_of(desired: Desired, status: Status | None, *, node: str) -> list[Endpoint]:
    """One per port of every replica that serves; a draining one is there, not ready."""
    return [
        Endpoint(
            service=desired.service.name,
            instance=replica.instance,
            host="127.0.0.1",
            port=replica.ports[port.name],
            port_name=port.name,
            protocol=port.protocol,
            node=node,
            ready=replica.ready,
            template_hash=replica.template_hash,
        )
        for replica in (status.replicas if status else [])
        if replica.step in (Step.UP, Step.DRAINING)
        for port in desired.service.ports
        if port.name in replica.ports
    ]
