"""Slices, node ports and load balancers."""

from __future__ import annotations

from typing import Any

from orchctl.core.service import Expose, Port, Service
from orchctl_kubernetes.endpoints import endpoints
from tests.unit.kubernetes.observed import pod

NODE = {
    "metadata": {"name": "n1"},
    "status": {
        "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}


def piece(*found: dict[str, Any], family: str = "IPv4") -> dict[str, Any]:
    return {"addressType": family, "ports": [{"name": "http", "port": 80, "protocol": "TCP"}], "endpoints": list(found)}


def entry(name: str, host: str, **conditions: bool) -> dict[str, Any]:
    target = {"kind": "Pod", "name": name, "uid": f"uid-{name}"}
    return {"addresses": [host], "conditions": conditions, "nodeName": "n1", "targetRef": target}


def look(slices: Any, services: Any = (), pods: Any = (), ports: tuple[Port, ...] = ()) -> list[tuple[Any, ...]]:
    service = Service(namespace="shop", name="web", image="web:1", ports=ports)
    found = endpoints("web", service, slices, services, [NODE], {p["metadata"]["name"]: p for p in pods})
    return [(e.instance, e.host, e.port, e.ready, e.template_hash) for e in found]


def test_duplicates_are_one_and_ipv4_comes_first() -> None:
    a = entry("web-1-a", "10.1.0.1")
    found = look([piece(entry("web-1-a", "fd00::1"), family="IPv6"), piece(a), piece(a)], pods=[pod()])
    assert found == [("web-1-a", "10.1.0.1", 80, True, "t1"), ("web-1-a", "fd00::1", 80, True, "t1")]


def test_what_terminates_or_is_not_ready_is_listed_as_not_ready() -> None:
    found = look([piece(entry("x", "1.1.1.1", ready=False), entry("y", "1.1.1.2", terminating=True))])
    assert [e[3] for e in found] == [False, False]
    assert [e[3] for e in look([piece(entry("web-1-a", "1.1.1.1"))], pods=[pod(leaving=True)])] == [False]


def test_node_ports_and_balancers_stand_for_the_service() -> None:
    ports = [{"name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP"}]
    cluster = {"metadata": {"name": "web-cluster"}, "spec": {"type": "NodePort", "ports": ports}}
    ingress = {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}
    outside = {
        "metadata": {"name": "web-external"},
        "spec": {"type": "LoadBalancer", "ports": ports},
        "status": ingress,
    }
    assert look([], [outside, cluster], [pod()]) == [
        ("", "10.0.0.1", 30080, True, "t1"),
        ("", "lb.example", 80, True, "t1"),
    ]


def test_a_host_port_is_told_at_its_node_alone() -> None:
    port = Port(name="http", port=80, expose=Expose.HOST, published=8080)
    assert look([piece(entry("web-1-a", "10.1.0.1"))], pods=[pod()], ports=(port,)) == [
        ("web-1-a", "10.0.0.1", 8080, True, "t1")
    ]


def test_odd_answers_give_no_endpoints() -> None:
    assert look([{}, piece({"addresses": None}), {"endpoints": 7}], [{"spec": {"type": "NodePort"}}]) == []


def test_the_name_in_the_cluster() -> None:
    main = {"metadata": {"name": "web"}, "spec": {"type": "ClusterIP"}}
    service = Service(namespace="shop", name="web", image="web:1")
    for services, called in (([main], "web.shop.svc.cluster.local"), ([], "")):
        [found] = endpoints("web", service, [piece(entry("x", "1.1.1.1"))], services, [NODE], {})
        assert found.dns_name == called
