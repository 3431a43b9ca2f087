"""Addresses out of recorded tasks."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.service import Expose, Port
from orchctl_swarm.endpoints import endpoints, node_address
from orchctl_swarm.translate import intent
from tests.unit.swarm import golden
from tests.unit.swarm.sample import sample


def seen(name: str, *ports: Port) -> dict[str, Any]:
    """What was recorded, for a service that asked for ``ports``."""
    found: dict[str, Any] = golden.read(name)
    if ports:
        found["service"]["Spec"]["Labels"]["orchctl.dev/intent"] = intent(sample(namespace="test", ports=ports), {}, 2)
    return found


def of(found: dict[str, Any]) -> list[tuple[str, int, str]]:
    listed = endpoints("web", found["service"], found["tasks"], found["nodes"])
    return [(e.host, e.port, e.port_name) for e in listed]


def test_a_host_port_is_listed_once_with_the_nodes_address() -> None:
    found = seen("running")
    node = found["nodes"][0]["Status"]["Addr"]
    assert [(host, name) for host, _, name in of(found)] == [(node, "http"), (node, "http")]
    assert len({port for _, port, _ in of(found)}) == 2


def test_an_internal_port_is_listed_with_the_overlay_address() -> None:
    for host, port, _ in of(seen("running", Port(name="http", port=8080))):
        assert host.startswith("10.0.")
        assert "/" not in host
        assert port == 8080


def test_tasks_that_were_told_to_stop_are_not_listed() -> None:
    found = seen("completed")
    stopping = {t["ID"] for t in found["tasks"] if t["DesiredState"] == "shutdown"}
    listed = {e.instance for e in endpoints("web", found["service"], found["tasks"], found["nodes"])}
    assert stopping
    assert len(listed) == 2
    assert not stopping & listed


def test_during_an_update_old_tasks_are_listed_until_they_are_told_to_stop() -> None:
    found = endpoints("web", *(seen("updating")[k] for k in ("service", "tasks", "nodes")))
    assert [e.ready for e in found] == [True, True]


def test_tasks_on_a_node_that_is_down_are_not_listed() -> None:
    found = seen("running")
    found["nodes"][0]["Status"]["State"] = "down"
    assert of(found) == []


def test_an_ingress_port_is_listed_for_every_ready_node() -> None:
    found = seen("running", Port(name="http", port=8080, expose=Expose.CLUSTER))
    published = {"Protocol": "tcp", "TargetPort": 8080, "PublishedPort": 30080, "PublishMode": "ingress"}
    found["service"]["Endpoint"] = {"Ports": [published]}
    found["nodes"] += [found["nodes"][0] | {"ID": "other", "Status": {"State": "down", "Addr": "10.9.9.9"}}]
    assert of(found) == [(found["nodes"][0]["Status"]["Addr"], 30080, "http")]


@pytest.mark.parametrize(
    ("status", "manager", "address"),
    [
        ("10.0.0.5", "", "10.0.0.5"),
        ("127.0.0.1", "10.0.0.7:2377", "10.0.0.7"),
        ("0.0.0.0", "[fd00::7]:2377", "fd00::7"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_a_manager_known_only_by_loopback_is_addressed_as_the_others_see_it(
    status: str, manager: str, address: str
) -> None:
    assert node_address({"Status": {"Addr": status}, "ManagerStatus": {"Addr": manager}}) == address
