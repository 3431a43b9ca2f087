"""What Swarm cannot do is refused with the sentence that helps, and what it can is not."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.plan import Policy
from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Health,
    Placement,
    Port,
    Probe,
    ProbeKind,
    Requirement,
    Resources,
    Rollout,
    SecretRef,
    Service,
    Stop,
)
from orchctl_swarm.claims import issues
from tests.unit.swarm.sample import FULL, sample

GRPC = Health(ready=Probe(kind=ProbeKind.GRPC, port="http"))
FIXED = Port(name="http", port=80, published=8080, expose=Expose.HOST)


def refused(service: Service) -> list[str]:
    return [i.path for i in issues(service) if i.policy is Policy.REJECT]


def test_a_service_that_uses_everything_swarm_has_is_not_refused() -> None:
    assert refused(FULL) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"image": None}, "image"),
        ({"env": {"A": SecretRef("db")}}, "env.A"),
        ({"health": GRPC}, "health.ready.grpc"),
        ({"files": {"/empty": File(content=b"")}}, "files[/empty]"),
        ({"files": {"/big": File(content=b"x" * 1_024_000)}}, "files[/big]"),
        ({"labels": {"orchctl.dev/x": "1"}}, "labels[orchctl.dev/x]"),
        ({"labels": {"com.docker.stack.namespace": "other"}}, "labels[com.docker.stack.namespace]"),
        ({"resources": Resources(memory_bytes=1 << 20)}, "resources.memory"),
        ({"resources": Resources(memory_bytes=8 << 20, memory_limit_bytes=4 << 20)}, "resources.limits.memory"),
        ({"resources": Resources(cpu_millis=500, cpu_limit_millis=100)}, "resources.limits.cpu"),
        ({"ports": (FIXED,)}, "ports.http.published"),
        ({"ports": (Port(name="http", port=80, published=80),)}, "ports.http.published"),
        ({"rollout": Rollout(max_surge=Amount(0), max_unavailable=Amount(0))}, "rollout"),
        ({"placement": Placement(require=(Requirement(key="a b", values=("x",)),))}, "placement.require[a b]"),
        ({"placement": Placement(require=(Requirement(key="zone", values=("ü",)),))}, "placement.require.zone"),
        ({"placement": Placement(require=(Requirement(key="zone", values=("a", "b")),))}, "placement.require.zone"),
        ({"backends": {"swarm": {"netwroks": ["x"]}}}, "backends.swarm.netwroks"),
        ({"backends": {"swarm": {"networks": "edge"}}}, "backends.swarm.networks"),
        ({"backends": {"swarm": {"init": "yes"}}}, "backends.swarm.init"),
        ({"backends": {"swarm": {"resolve_image": "sometimes"}}}, "backends.swarm.resolve_image"),
        ({"backends": {"swarm": {"health_command": []}}}, "backends.swarm.health_command"),
        ({"backends": {"swarm": {"endpoint_mode": "nat"}}}, "backends.swarm.endpoint_mode"),
        ({"backends": {"swarm": {"patch": {"Mode": {"Global": {}}}}}}, "backends.swarm.patch"),
        ({"backends": {"swarm": {"patch": {"Labels": None}}}}, "backends.swarm.patch"),
        ({"backends": {"swarm": {"patch": {"UpdateConfig": None}}}}, "backends.swarm.patch"),
        ({"backends": {"swarm": {"patch": {"TaskTemplate": {"ContainerSpec": None}}}}}, "backends.swarm.patch"),
        ({"backends": {"swarm": {"patch": {"Labels": {"orchctl.dev/name": None}}}}}, "backends.swarm.patch"),
        (
            {
                "backends": {
                    "swarm": {"patch": {"TaskTemplate": {"ContainerSpec": {"Labels": {"orchctl.dev/template": "x"}}}}}
                }
            },
            "backends.swarm.patch",
        ),
    ],
)
def test_what_swarm_cannot_do_is_refused_at_its_path(changes: dict[str, Any], path: str) -> None:
    assert refused(sample(**changes)) == [path]


def test_ingress_ports_and_dnsrr_exclude_each_other() -> None:
    port = Port(name="http", port=80, expose=Expose.CLUSTER)
    service = sample(ports=(port,), backends={"swarm": {"endpoint_mode": "dnsrr"}})
    assert refused(service) == ["backends.swarm.endpoint_mode"]


def test_a_fixed_host_port_is_fine_when_the_old_instance_stops_first() -> None:
    stop_first = Rollout(max_surge=Amount(0), max_unavailable=Amount(1))
    assert refused(sample(ports=(FIXED,), rollout=stop_first)) == []


def test_a_health_command_makes_a_grpc_check_possible() -> None:
    assert refused(sample(health=GRPC, backends={"swarm": {"health_command": "grpc_health_probe"}})) == []


@pytest.mark.parametrize(("drain_ms", "told"), [(0, False), (2_000, False), (5_000, True)])
def test_a_drain_longer_than_the_engines_own_is_told(drain_ms: int, told: bool) -> None:
    paths = [i.path for i in issues(sample(stop=Stop(drain_ms=drain_ms)))]
    assert ("stop.drain" in paths) is told


def test_a_key_of_a_stored_secret_is_told_to_be_part_of_the_name() -> None:
    found = issues(sample(files={"/key": File(secret=SecretRef("db", "password"))}))
    assert [(i.path, i.policy) for i in found] == [("files[/key]", Policy.EMULATE)]
    assert "db.password" in found[0].message


def test_a_patch_may_set_labels_of_its_own_and_change_the_rest() -> None:
    patch = {"Labels": {"team": "checkout"}, "UpdateConfig": {"Monitor": 1}, "TaskTemplate": {"RestartPolicy": None}}
    assert list(issues(sample(backends={"swarm": {"patch": patch}}))) == list(issues(sample()))


def test_as_many_as_fit_per_node_leave_no_room_to_start_first() -> None:
    full = Placement(max_per_node=1)
    (told,) = (i for i in issues(sample(placement=full)) if i.path == "placement.max_per_node")
    assert told.policy is Policy.WARN
    stops_first = Rollout(max_surge=Amount(0), max_unavailable=Amount(1))
    assert not [i for i in issues(sample(placement=full, rollout=stops_first)) if i.path == "placement.max_per_node"]
