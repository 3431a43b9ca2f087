"""Nothing a user writes is silently dropped."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.plan import Policy
from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Health,
    OnFailure,
    Placement,
    Port,
    Probe,
    ProbeKind,
    Protocol,
    Requirement,
    Resources,
    Restart,
    Rollout,
    Scaling,
    SecretRef,
    Service,
    Stop,
    Strategy,
    Volume,
    VolumeKind,
)
from orchctl_swarm import names
from orchctl_swarm.adapter import SwarmBackend
from tests.unit.swarm.sample import sample

BACKEND = SwarmBackend()
PORT = Port(name="http", port=8080, expose=Expose.HOST)
PROBE = Probe(kind=ProbeKind.HTTP, path="/", port="http")
BASE = sample(
    command=("serve",),
    args=("-v",),
    ports=(PORT,),
    env={"A": "1"},
    files={"/f": File(content=b"x"), "/s": File(secret=SecretRef("S", source="env", version="1"))},
    volumes={"/v": Volume(kind=VolumeKind.NAMED, name="v")},
    health=Health(ready=PROBE),
    placement=Placement(require=(Requirement(key="zone", values=("a",)),)),
)


def leaf(**changes: Any) -> Service:
    return replace(BASE, **changes)


NATIVE = {
    "name": leaf(name="api"),
    "namespace": leaf(namespace="other"),
    "image": leaf(image="web:2"),
    "image_digest": leaf(image_digest="sha256:1"),
    "command": leaf(command=("other",)),
    "args": leaf(args=("-q",)),
    "working_dir": leaf(working_dir="/x"),
    "user": leaf(user="1:1"),
    "labels": leaf(labels={"a": "b"}),
    "replicas": leaf(replicas=7),
    "port": leaf(ports=(replace(PORT, port=81),)),
    "port.name": leaf(ports=(replace(PORT, name="web"),), health=Health(ready=replace(PROBE, port="web"))),
    "port.protocol": leaf(ports=(PORT, Port(name="dns", port=53, protocol=Protocol.UDP))),
    "port.expose": leaf(ports=(replace(PORT, expose=Expose.CLUSTER),)),
    "port.published": leaf(ports=(replace(PORT, published=9000, expose=Expose.CLUSTER),)),
    "env": leaf(env={"A": "2"}),
    "env empty": leaf(env={"A": ""}),
    "file.content": leaf(files={**BASE.files, "/f": File(content=b"y")}),
    "file.mode": leaf(files={**BASE.files, "/f": File(content=b"x", mode="0400")}),
    "file.secret.version": leaf(files={**BASE.files, "/s": File(secret=SecretRef("S", source="env", version="2"))}),
    "volume.name": leaf(volumes={"/v": Volume(kind=VolumeKind.NAMED, name="w")}),
    "volume.kind": leaf(volumes={"/v": Volume(kind=VolumeKind.TMPFS, size_bytes=1)}),
    "volume.read_only": leaf(volumes={"/v": Volume(kind=VolumeKind.NAMED, name="v", read_only=True)}),
    "resources.cpu": leaf(resources=Resources(cpu_millis=1)),
    "resources.memory": leaf(resources=Resources(memory_bytes=8 << 20)),
    "resources.limits.cpu": leaf(resources=Resources(cpu_limit_millis=1)),
    "resources.limits.memory": leaf(resources=Resources(memory_limit_bytes=8 << 20)),
    "probe.path": leaf(health=Health(ready=replace(PROBE, path="/x"))),
    "probe.interval": leaf(health=Health(ready=replace(PROBE, interval_ms=1))),
    "probe.timeout": leaf(health=Health(ready=replace(PROBE, timeout_ms=1))),
    "probe.failures": leaf(health=Health(ready=replace(PROBE, failures=9))),
    "health.start.deadline": leaf(health=Health(ready=PROBE, start_deadline_ms=1)),
    "rollout.strategy": leaf(rollout=Rollout(strategy=Strategy.RECREATE)),
    "rollout.max_surge": leaf(rollout=Rollout(max_surge=Amount(2))),
    "rollout.max_unavailable": leaf(rollout=Rollout(max_surge=Amount(0), max_unavailable=Amount(1))),
    "rollout.min_ready": leaf(rollout=Rollout(min_ready_ms=1)),
    "restart": leaf(restart=Restart.NEVER),
    "stop.signal": leaf(stop=Stop(signal="SIGINT")),
    "stop.grace": leaf(stop=Stop(grace_ms=1)),
    "placement.value": leaf(placement=Placement(require=(Requirement(key="zone", values=("b",)),))),
    "placement.spread": leaf(placement=replace(BASE.placement, spread=("rack",))),
    "placement.max_per_node": leaf(placement=replace(BASE.placement, max_per_node=1)),
    "swarm.networks": leaf(backends={"swarm": {"networks": ["edge"]}}),
    "swarm.init": leaf(backends={"swarm": {"init": False}}),
    "swarm.health_command": leaf(backends={"swarm": {"health_command": "true"}}),
    "swarm.endpoint_mode": leaf(backends={"swarm": {"endpoint_mode": "vip"}}),
    "swarm.patch": leaf(backends={"swarm": {"patch": {"TaskTemplate": {"LogDriver": {"Name": "none"}}}}}),
}

# Swarm has no field for these: orchctl reads them back from the label that keeps what was asked for.
KEPT_IN_THE_LABEL = {
    "rollout.deadline": leaf(rollout=Rollout(deadline_ms=1_000)),
    "rollout.on_failure": leaf(rollout=Rollout(on_failure=OnFailure.PAUSE)),
    "needs": leaf(needs={"db": "*"}),
    "provides": leaf(provides={"api": "1"}),
    "scale": leaf(scaling=Scaling(min=1, max=3)),
    "swarm.resolve_image": leaf(backends={"swarm": {"resolve_image": "never"}}),
}


def native(service: Service) -> str:
    """All objects as they are sent, without orchctl's own label and without the hash over the whole template."""
    objects = [json.loads(json.dumps(o.body)) for o in BACKEND.render(service)]
    del objects[-1]["Labels"][names.INTENT]
    del objects[-1]["TaskTemplate"]["ContainerSpec"]["Labels"][names.TEMPLATE]
    return json.dumps(objects, sort_keys=True)


@pytest.mark.parametrize("name", NATIVE)
def test_changing_a_leaf_changes_what_swarm_gets(name: str) -> None:
    assert [i for i in BACKEND.check(NATIVE[name]) if i.policy is Policy.REJECT] == []
    assert native(NATIVE[name]) != native(BASE)


@pytest.mark.parametrize("name", [*NATIVE, *KEPT_IN_THE_LABEL])
def test_changing_a_leaf_changes_the_document(name: str) -> None:
    service = (NATIVE | KEPT_IN_THE_LABEL)[name]
    identity = name in ("name", "namespace")
    assert identity or BACKEND.project(service) != BACKEND.project(BASE)


@pytest.mark.parametrize("name", KEPT_IN_THE_LABEL)
def test_policy_that_swarm_does_not_know_changes_nothing_else(name: str) -> None:
    assert native(KEPT_IN_THE_LABEL[name]) == native(BASE)
