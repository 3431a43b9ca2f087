"""Where the pods of a service can be reached. Pure.

EndpointSlices are what the cluster's own load balancing goes by. A service may have several, an
endpoint may be in two of them for a moment, and a dual-stack service has one set per family
(https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchctl.core.endpoint import Endpoint
from orchctl.core.service import Expose, Port, Protocol, Service
from orchctl_kubernetes.names import TEMPLATE
from orchctl_kubernetes.problems import condition, number, part, parts, text
from orchctl_kubernetes.progress import instance_id, is_ready, name_of

Json = Mapping[str, Any]

_FAMILIES = ("IPv4", "IPv6")


def dns_name(namespace: str, name: str) -> str:
    """The name that pods of the cluster find the service at; ``cluster.local`` is every installer's default."""
    return f"{name}.{namespace}.svc.cluster.local"


def endpoints(
    name: str,
    service: Service,
    slices: Sequence[Json],
    services: Sequence[Json],
    nodes: Sequence[Json],
    pods: Mapping[str, Json],
) -> list[Endpoint]:
    """Every port of every pod, and the addresses of the service as a whole (``instance`` "").

    ``slices`` are those of the main Service, ``services`` all of ours, ``pods`` the raw pods by name. A port that
    is published on the pod's own node is told there and not a second time at the pod's address.
    """
    hosted = {p.name: p for p in service.ports if p.expose is Expose.HOST and p.published}
    found = [e for e in _of_slices(name, slices, pods) if e.port_name not in hosted]
    found += [e for pod in _in_order(pods) for p in hosted.values() for e in _of_host(name, p, pod, nodes)]
    found += _shared(name, services, nodes, pods)
    called = dns_name(service.namespace, name) if services else ""
    return [replace(e, dns_name=called) for e in found]


def _of_slices(name: str, slices: Sequence[Json], pods: Mapping[str, Json]) -> list[Endpoint]:
    found: dict[tuple[object, ...], Endpoint] = {}
    for piece in sorted(slices, key=lambda s: (_family(s), name_of(s))):
        for entry in parts(piece, "endpoints"):
            for key, endpoint in _of_entry(name, piece, entry, pods):
                known = found.get(key)
                found[key] = endpoint if known is None or not known.ready else known
    return list(found.values())


def _of_entry(
    name: str, piece: Json, entry: Json, pods: Mapping[str, Json]
) -> Iterator[tuple[tuple[object, ...], Endpoint]]:
    """Only the first address counts: the API has kept the rest without a meaning."""
    addresses = entry.get("addresses")
    host = addresses[0] if isinstance(addresses, list) and addresses else ""
    if not isinstance(host, str) or not host:
        return
    target = part(entry, "targetRef")
    pod = pods.get(text(target, "name"), {})
    for port in parts(piece, "ports"):
        protocol, listening = _protocol(port), number(port, "port")
        if not listening or protocol is None:
            continue
        key = (text(target, "uid") or host, _family(piece), listening, protocol)
        yield (
            key,
            Endpoint(
                service=name,
                instance=instance_id(pod) if pod else text(target, "name"),
                host=host,
                port=listening,
                port_name=text(port, "name"),
                protocol=protocol,
                node=text(entry, "nodeName"),
                ready=_may_serve(part(entry, "conditions"), pod),
                template_hash=_template(pod),
            ),
        )


def _may_serve(conditions: Json, pod: Json) -> bool:
    """``ready`` absent means true; a pod that was told to stop may be known before its slice says so."""
    leaving = bool(part(pod, "metadata").get("deletionTimestamp"))
    return conditions.get("ready") is not False and conditions.get("terminating") is not True and not leaving


def _of_host(name: str, port: Port, pod: Json, nodes: Sequence[Json]) -> Iterator[Endpoint]:
    node = text(part(pod, "spec"), "nodeName")
    listed = next((node_address(n) for n in nodes if name_of(n) == node), "")
    host = text(part(pod, "status"), "hostIP") or listed
    phase = text(part(pod, "status"), "phase")
    if not host or phase in ("Failed", "Succeeded"):
        return
    yield Endpoint(
        service=name,
        instance=instance_id(pod),
        host=host,
        port=port.published or port.port,
        port_name=port.name,
        protocol=port.protocol,
        node=node,
        ready=is_ready(pod),
        template_hash=_template(pod),
    )


def _shared(name: str, services: Sequence[Json], nodes: Sequence[Json], pods: Mapping[str, Json]) -> list[Endpoint]:
    ready = [p for p in pods.values() if is_ready(p)]
    templates = {_template(p) for p in ready}
    common = templates.pop() if len(templates) == 1 else ""
    found: list[Endpoint] = []
    for service in sorted(services, key=name_of):
        kind = text(part(service, "spec"), "type")
        if kind == "NodePort":
            found += _of_nodes(name, service, nodes, ready)
        elif kind == "LoadBalancer":
            found += _of_balancer(name, service, ready=bool(ready))
    return [replace(e, template_hash=common) for e in found]


def _of_nodes(name: str, service: Json, nodes: Sequence[Json], ready: Sequence[Json]) -> Iterator[Endpoint]:
    """With the policy Local a node answers only for the pods it runs itself."""
    local = text(part(service, "spec"), "externalTrafficPolicy") == "Local"
    serving = {text(part(p, "spec"), "nodeName") for p in ready}
    for port, protocol in _ports(service):
        for node in sorted(nodes, key=name_of):
            host, answers = node_address(node), condition(node, "Ready").get("status") == "True"
            if not host or not answers or not number(port, "nodePort") or (local and name_of(node) not in serving):
                continue
            yield Endpoint(
                service=name,
                instance="",
                host=host,
                port=number(port, "nodePort"),
                port_name=text(port, "name"),
                protocol=protocol,
                node=name_of(node),
                ready=bool(ready),
            )


def _of_balancer(name: str, service: Json, *, ready: bool) -> Iterator[Endpoint]:
    for entry in parts(part(service, "status", "loadBalancer"), "ingress"):
        host = text(entry, "ip") or text(entry, "hostname")
        for port, protocol in _ports(service):
            if host and number(port, "port"):
                yield Endpoint(
                    service=name,
                    instance="",
                    host=host,
                    port=number(port, "port"),
                    port_name=text(port, "name"),
                    protocol=protocol,
                    ready=ready,
                )


def node_address(node: Json) -> str:
    """The address inside the cluster's network; else the one outside, else the name."""
    found = {text(a, "type"): text(a, "address") for a in reversed(parts(part(node, "status"), "addresses"))}
    return found.get("InternalIP") or found.get("ExternalIP") or found.get("Hostname") or ""


def _ports(service: Json) -> Iterator[tuple[Json, Protocol]]:
    for port in parts(part(service, "spec"), "ports"):
        protocol = _protocol(port)
        if protocol is not None:
            yield port, protocol


def _protocol(port: Json) -> Protocol | None:
    try:
        return Protocol((text(port, "protocol") or "TCP").lower())
    except ValueError:
        return None


def _family(piece: Json) -> int:
    kind = text(piece, "addressType") or "IPv4"
    return _FAMILIES.index(kind) if kind in _FAMILIES else len(_FAMILIES)


def _template(pod: Json) -> str:
    return text(part(pod, "metadata", "labels"), TEMPLATE)


def _in_order(pods: Mapping[str, Json]) -> list[Json]:
    return [pods[name] for name in sorted(pods)]
