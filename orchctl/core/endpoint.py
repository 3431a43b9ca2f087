"""Where a service can be reached, and what its instances print."""

from __future__ import annotations

from dataclasses import dataclass

from orchctl.core.service import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One port of one instance (or of the service as a whole: ``instance`` "").

    ``ready`` False = do not send new requests (starting, unhealthy, draining). ``revision`` is
    filled by the engine from the instance's ``template_hash``; 0 = unknown. ``dns_name``: what clients in the backend's own
    network call the service, "" where it has no names. ``service_port``: where a load balancer of the backend listens for
    the service as a whole; 0 = it has none.
    """

    service: str
    instance: str
    host: str
    port: int
    port_name: str
    protocol: Protocol = Protocol.TCP
    node: str = ""
    ready: bool = True
    weight: int = 1
    template_hash: str = ""
    revision: int = 0
    dns_name: str = ""
    service_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of output as the process wrote it, without the line end. ``at_ms`` is epoch time, 0 = unknown."""

    instance: str
    text: str
    stream: str = "stdout"
    at_ms: int = 0


def not_read(why: object, instance: str = "") -> LogLine:
    """Told after the lines of the others: the output of one instance that could not be had must not hide theirs."""
    return LogLine(instance=instance or "-", text=f"not read: {why}", stream="stderr")
