"""Where instances can be reached, on every kind of network."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.service import Protocol
from orchctl_marathon.endpoints import endpoints, old_versions
from tests.unit.marathon.recorded import app as recorded

Place = tuple[str, str, int, Protocol]
TCP, UDP = Protocol.TCP, Protocol.UDP
NAME = "web-shop.marathon.mesos"


def task(*ports: int, host: str = "agent1", address: str = "", **more: Any) -> dict[str, Any]:
    addresses = [{"ipAddress": address, "protocol": "IPv4"}] if address else []
    identity = f"web.instance-{host}._app.1"
    return {"id": identity, "state": "TASK_RUNNING", "host": host, "ports": [*ports], "ipAddresses": addresses} | more


def defined(name: str, protocol: str = "tcp") -> dict[str, Any]:
    return {"name": name, "protocol": protocol, "port": 10_000}


def mapped(name: str, number: int, *, host: int | None = 0, protocol: str = "tcp") -> dict[str, Any]:
    own = {} if host is None else {"hostPort": host}
    return {"name": name, "containerPort": number, "protocol": protocol, "servicePort": 10_000, **own}


def on_host(*ports: dict[str, Any], tasks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"networks": [{"mode": "host"}], "portDefinitions": [*ports], "tasks": tasks}


def in_container(*ports: dict[str, Any], tasks: list[dict[str, Any]], network: str = "") -> dict[str, Any]:
    mode = {"mode": "container", "name": network} if network else {"mode": "container/bridge"}
    return {"networks": [mode], "container": {"portMappings": [*ports]}, "tasks": tasks}


def places(app: dict[str, Any]) -> list[Place]:
    return [(e.port_name, e.host, e.port, e.protocol) for e in endpoints("web", app, NAME)]


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        pytest.param(on_host(defined("http"), tasks=[task(31_000)]), [("http", "agent1", 31_000, TCP)], id="host"),
        pytest.param(
            on_host(defined("http"), defined("stats", "udp"), tasks=[task(31_000, 31_001)]),
            [("http", "agent1", 31_000, TCP), ("stats", "agent1", 31_001, UDP)],
            id="several on the host",
        ),
        pytest.param(
            on_host(defined("dns", "udp,tcp"), tasks=[task(31_000)]),
            [("dns", "agent1", 31_000, UDP), ("dns", "agent1", 31_000, TCP)],
            id="both protocols",
        ),
        pytest.param(
            in_container(mapped("http", 80), tasks=[task(31_000, address="172.17.0.2")]),
            [("http", "agent1", 31_000, TCP)],
            id="bridge: its own address is seen by its agent only",
        ),
        pytest.param(
            in_container(mapped("http", 80, host=None), tasks=[task(address="9.0.1.2")], network="dcos"),
            [("http", "9.0.1.2", 80, TCP)],
            id="container network",
        ),
        pytest.param(
            in_container(
                mapped("admin", 90, host=None),
                mapped("http", 80),
                mapped("inner", 70, host=None),
                mapped("stats", 60, protocol="udp"),
                tasks=[task(31_000, 31_001, address="9.0.1.2")],
                network="dcos",
            ),
            [
                ("admin", "9.0.1.2", 90, TCP),
                ("http", "agent1", 31_000, TCP),
                ("inner", "9.0.1.2", 70, TCP),
                ("stats", "agent1", 31_001, UDP),
            ],
            id="container network, some with ports of the host",
        ),
        pytest.param(
            in_container(mapped("http", 80, host=None), tasks=[task()], network="dcos"), [], id="no address yet"
        ),
        pytest.param(on_host(defined("http"), tasks=[task()]), [], id="no port yet"),
        pytest.param(on_host(tasks=[task()]), [], id="no ports at all"),
    ],
)
def test_every_port_of_every_instance_has_its_place(app: dict[str, Any], expected: list[Place]) -> None:
    assert places(app) == expected


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(on_host(defined("http"), tasks=[task(31_000)]), id="host"),
        pytest.param(in_container(mapped("http", 80), tasks=[task(31_000)]), id="bridge"),
        pytest.param(
            in_container(mapped("http", 80, host=None), tasks=[task(address="9.0.1.2")], network="dcos"), id="container"
        ),
    ],
)
def test_the_service_port_is_told_wherever_marathon_keeps_it(app: dict[str, Any]) -> None:
    """What a load balancer in front of the apps listens at."""
    assert [e.service_port for e in endpoints("web", app, NAME)] == [10_000]


def test_the_endpoints_of_a_recorded_app() -> None:
    seen = recorded("02-create/046")
    (found,) = endpoints("dockerb", seen, NAME)
    (running,) = seen["tasks"]
    assert (found.host, found.port, found.node) == (running["host"], running["ports"][0], running["host"])
    assert (found.instance, found.ready, found.dns_name) == (running["id"], True, NAME)


@pytest.mark.parametrize(
    ("state", "listed", "ready"),
    [
        ("TASK_STAGING", False, False),
        ("TASK_STARTING", False, False),
        ("TASK_RUNNING", True, True),
        ("TASK_KILLING", True, False),
        ("TASK_FAILED", False, False),
        ("TASK_UNREACHABLE", False, False),
    ],
)
def test_only_what_has_a_process_is_listed_and_only_what_stays_is_ready(state: str, listed: bool, ready: bool) -> None:
    found = endpoints("web", on_host(defined("http"), tasks=[task(31_000, state=state)]), NAME)
    assert [e.ready for e in found] == [ready] * listed


@pytest.mark.parametrize(
    ("results", "ready"),
    [
        ([], False),
        ([{"alive": True}], False),
        ([{"alive": True}, {"alive": False}], False),
        ([{"alive": True}] * 2, True),
    ],
)
def test_it_is_ready_while_every_check_is_good(results: list[dict[str, Any]], ready: bool) -> None:
    app = on_host(defined("http"), tasks=[task(31_000, healthCheckResults=results)])
    (found,) = endpoints("web", app | {"healthChecks": [{}, {}]}, NAME)
    assert found.ready is ready


def test_an_instance_of_an_older_definition_has_no_template_of_this_one() -> None:
    tasks = [
        task(31_000, version="2026-01-01T00:00:00.000Z"),
        task(31_001, host="b", version="2026-01-03T00:00:00.000Z"),
    ]
    info = {"lastConfigChangeAt": "2026-01-02T00:00:00.000Z"}
    app = on_host(defined("http"), tasks=tasks) | {"labels": {"orchctl.dev/template": "new"}, "versionInfo": info}
    assert [(e.host, e.template_hash) for e in endpoints("web", app, NAME)] == [("agent1", ""), ("b", "new")]


class TestOlder:
    """Instances of a former definition, which had its ports in another order and no check."""

    OLD, NEW = "2026-01-01T00:00:00.000Z", "2026-01-03T00:00:00.000Z"

    def app(self) -> dict[str, Any]:
        tasks = [task(31_000, version=self.OLD), task(31_001, 31_002, host="b", version=self.NEW)]
        more = {"versionInfo": {"lastConfigChangeAt": self.NEW}, "healthChecks": [{}]}
        return on_host(defined("admin"), defined("http"), tasks=tasks) | more

    def test_their_ports_and_checks_are_their_own(self) -> None:
        older = {self.OLD: on_host(defined("http"), tasks=[])}
        found = endpoints("web", self.app(), NAME, older)
        assert [(e.host, e.port_name, e.port, e.ready) for e in found] == [
            ("b", "admin", 31_001, False),
            ("agent1", "http", 31_000, True),
            ("b", "http", 31_002, False),
        ]
        assert old_versions(self.app()) == {self.OLD}

    def test_one_that_changed_to_a_network_of_its_own_has_the_places_of_before(self) -> None:
        app = self.app() | {"networks": [{"mode": "container", "name": "dcos"}]}
        found = endpoints("web", app, NAME, {self.OLD: on_host(defined("http"), tasks=[])})
        assert ("agent1", "http", 31_000) in [(e.host, e.port_name, e.port) for e in found]

    def test_of_an_unknown_definition_no_name_is_claimed(self) -> None:
        old = [e for e in endpoints("web", self.app(), NAME) if e.host == "agent1"]
        assert [(e.port_name, e.port, e.ready) for e in old] == [("", 31_000, True)]


def test_they_are_in_order_of_port_and_host() -> None:
    tasks = [task(31_000, 31_001, host=host) for host in ("b", "a")]
    found = places(on_host(defined("http"), defined("admin"), tasks=tasks))
    assert [(name, host) for name, host, _, _ in found] == [
        ("admin", "a"),
        ("admin", "b"),
        ("http", "a"),
        ("http", "b"),
    ]
