"""Where the tasks of a service can be reached. Pure.

An instance leaves as soon as Swarm wants it stopped. From then the engine itself waits two seconds
(for its own load balancers to hear of it) before it sends the stop signal: a client that refreshes at
least every second, and whose requests take less than one, never meets a stopped instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchctl.core.endpoint import Endpoint
from orchctl.core.rollout import InstanceState
from orchctl.core.service import Expose, Port, Protocol, Service
from orchctl_swarm.names import network_name, service_name
from orchctl_swarm.normalise import read_intent
from orchctl_swarm.progress import instance_state, template_of

Json = Mapping[str, Any]

_NO_ADDRESS = ("", "0.0.0.0", "127.0.0.1", "::", "::1")


def endpoints(name: str, service: Json, tasks: Sequence[Json], nodes: Sequence[Json]) -> list[Endpoint]:
    """Every port of every task that has an address, and every node for ports of the ingress."""
    spec, _, _ = read_intent(service["Spec"])
    by_id = {n["ID"]: n for n in nodes}
    down = {n["ID"] for n in nodes if n["Status"]["State"] == "down"}
    alive = [t for t in tasks if instance_state(t) is InstanceState.RUNNING and t.get("NodeID") not in down]
    found: list[Endpoint] = []
    for task in sorted(alive, key=lambda t: (t.get("Slot") or 0, str(t.get("CreatedAt", "")))):
        found += _of_task(name, spec, task, by_id.get(task.get("NodeID", ""), {}))
    found += _of_ingress(name, spec, service, nodes, ready=bool(alive))
    return [replace(e, dns_name=service_name(spec.namespace, name)) for e in found]


def _of_task(name: str, spec: Service, task: Json, node: Json) -> Iterable[Endpoint]:
    hostname = str((node.get("Description") or {}).get("Hostname", ""))
    for port in spec.ports:
        for host, number in _addresses(spec, port, task, node):
            yield Endpoint(
                service=name,
                instance=task["ID"],
                host=host,
                port=number,
                port_name=port.name,
                protocol=port.protocol,
                node=hostname,
                template_hash=template_of(task.get("Spec") or {}),
            )


def _addresses(spec: Service, port: Port, task: Json, node: Json) -> Iterable[tuple[str, int]]:
    if port.expose is Expose.HOST:
        # The engine lists each published port twice.
        published = ((task.get("Status") or {}).get("PortStatus") or {}).get("Ports") or ()
        numbers = {p["PublishedPort"] for p in published if _is_same(p, port) and p.get("PublishedPort")}
        return [(node_address(node), number) for number in sorted(numbers)]
    if port.expose is Expose.INTERNAL:
        ours = [a for a in task.get("NetworksAttachments") or () if _network_of(a) == network_name(spec.namespace)]
        return [(address.partition("/")[0], port.port) for a in ours for address in (a.get("Addresses") or ())[:1]]
    return []


def _is_same(published: Json, port: Port) -> bool:
    return published.get("TargetPort") == port.port and published.get("Protocol") == port.protocol.value


def _network_of(attachment: Json) -> str:
    return str(((attachment.get("Network") or {}).get("Spec") or {}).get("Name", ""))


def node_address(node: Json) -> str:
    """What the managers see the node at; a manager that only knows itself by loopback says it elsewhere."""
    address = str((node.get("Status") or {}).get("Addr", ""))
    if address in _NO_ADDRESS:
        manager = str((node.get("ManagerStatus") or {}).get("Addr", "")).rpartition(":")[0].strip("[]")
        return manager or address
    return address


def _of_ingress(name: str, spec: Service, service: Json, nodes: Sequence[Json], *, ready: bool) -> list[Endpoint]:
    published = (service.get("Endpoint") or {}).get("Ports") or ()
    serving = [n for n in nodes if n["Status"]["State"] == "ready"]
    names = {(p.port, p.protocol): p.name for p in spec.ports}
    return [
        Endpoint(
            service=name,
            instance="",
            host=node_address(node),
            port=port["PublishedPort"],
            port_name=names.get((port["TargetPort"], Protocol(port["Protocol"])), str(port.get("Name", ""))),
            protocol=Protocol(port["Protocol"]),
            node=str((node.get("Description") or {}).get("Hostname", "")),
            ready=ready,
            template_hash=template_of(service["Spec"]["TaskTemplate"]),
        )
        for port in published
        if port.get("PublishMode") == "ingress" and port.get("PublishedPort")
        for node in serving
    ]
