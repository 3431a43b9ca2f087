"""Nothing a user writes is silently dropped."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from orchctl.core.plan import Policy
from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Health,
    OnFailure,
    Operator,
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
from orchctl_marathon import names
from orchctl_marathon.adapter import MarathonBackend
from orchctl_marathon.options import Options
from tests.unit.marathon.sample import sample

BACKEND = MarathonBackend()
MIB = 1 << 20
PORT = Port(name="http", port=8080, expose=Expose.CLUSTER)
PROBE = Probe(kind=ProbeKind.HTTP, path="/", port="http", interval_ms=5_000, timeout_ms=2_000)
LIVE = Probe(kind=ProbeKind.EXEC, command=("test", "-f", "/up"), interval_ms=5_000, timeout_ms=2_000)
REQUIRED = Requirement(key="zone", values=("a",))
STORED = SecretRef("db", key="password")
OWN = {"load_balancer": "marathon-lb", "secrets_plugin": True}
"""Options that other leaves need."""
BASE = sample(
    command=("serve",),
    args=("-v",),
    replicas=4,
    ports=(PORT,),
    env={"A": "1", "S": STORED},
    files={"/f": File(content=b"x")},
    volumes={"/v": Volume(kind=VolumeKind.NAMED, name="v")},
    resources=Resources(cpu_millis=500, memory_bytes=64 * MIB),
    health=Health(ready=PROBE, live=LIVE),
    placement=Placement(require=(REQUIRED,)),
    backends={"marathon": OWN},
)
SPREAD = Placement(require=(REQUIRED,), spread=("zone",))


def leaf(**changes: Any) -> Service:
    return replace(BASE, **changes)


def option(**options: Any) -> Service:
    return leaf(backends={"marathon": {**OWN, **options}})


def env(**changes: Any) -> Service:
    return leaf(env={**BASE.env, **changes})


def port(**changes: Any) -> Service:
    return leaf(ports=(replace(PORT, **changes),))


def health(**changes: Any) -> Service:
    return leaf(health=replace(BASE.health, **changes))


def limits(**changes: Any) -> Service:
    return leaf(resources=replace(BASE.resources, **changes))


def volume(**changes: Any) -> Service:
    return leaf(volumes={"/v": Volume(**{"kind": VolumeKind.NAMED, "name": "v", **changes})})


NATIVE = {
    "name": leaf(name="api"),
    "namespace": leaf(namespace="other"),
    "image": leaf(image="web:2"),
    "no image": leaf(image=None, volumes={}),
    "image_digest": leaf(image_digest="sha256:1"),
    "command": leaf(command=("other",)),
    "args": leaf(args=("-q",)),
    "working_dir": leaf(working_dir="/x"),
    "user": leaf(user="1:1"),
    "labels": leaf(labels={"a": "b"}),
    "replicas": leaf(replicas=7),
    "port": port(port=81),
    "port.name": leaf(ports=(replace(PORT, name="web"),), health=Health(ready=replace(PROBE, port="web"), live=LIVE)),
    "port.protocol": leaf(ports=(PORT, Port(name="dns", port=53, protocol=Protocol.UDP))),
    "port.expose external": port(expose=Expose.EXTERNAL),
    "port.expose internal": port(expose=Expose.INTERNAL),
    "port.published": port(published=10_080),
    "env": env(A="2"),
    "env empty": env(A=""),
    "env another": env(B="1"),
    "env.secret.name": env(S=replace(STORED, name="db2")),
    "env.secret.key": env(S=replace(STORED, key="user")),
    "file.path": leaf(files={"/g": File(content=b"x")}),
    "file.content": leaf(files={"/f": File(content=b"y")}),
    "file.mode": leaf(files={"/f": File(content=b"x", mode="0400")}),
    "volume.path": leaf(volumes={"/w": Volume(kind=VolumeKind.NAMED, name="v")}),
    "volume.name": volume(name="w"),
    "volume.tmpfs": volume(kind=VolumeKind.TMPFS, name=""),
    "volume.tmpfs.size": volume(kind=VolumeKind.TMPFS, name="", size_bytes=MIB),
    "volume.host": volume(kind=VolumeKind.HOST, name="/srv"),
    "volume.read_only": volume(read_only=True),
    "volume.tmpfs.read_only": volume(kind=VolumeKind.TMPFS, name="", read_only=True),
    "resources.cpu": limits(cpu_millis=1),
    "resources.memory": limits(memory_bytes=8 * MIB),
    "resources.limits.cpu": limits(cpu_limit_millis=900),
    "resources.limits.memory": limits(memory_limit_bytes=128 * MIB),
    "ready.path": health(ready=replace(PROBE, path="/x")),
    "ready.interval": health(ready=replace(PROBE, interval_ms=9_000)),
    "ready.timeout": health(ready=replace(PROBE, timeout_ms=3_000)),
    "ready.kind": health(ready=replace(PROBE, kind=ProbeKind.TCP, path="/")),
    "no ready": health(ready=None),
    "live.command": health(live=replace(LIVE, command=("true",))),
    "live.interval": health(live=replace(LIVE, interval_ms=9_000)),
    "live.timeout": health(live=replace(LIVE, timeout_ms=3_000)),
    "live.failures": health(live=replace(LIVE, failures=9)),
    "no live": health(live=None),
    "health.start.deadline": health(start_deadline_ms=5_000),
    "rollout.strategy": leaf(rollout=Rollout(strategy=Strategy.RECREATE)),
    "rollout.max_surge": leaf(rollout=Rollout(max_surge=Amount(2))),
    "rollout.max_unavailable": leaf(rollout=Rollout(max_unavailable=Amount(1))),
    "rollout.max_unavailable in percent": leaf(rollout=Rollout(max_unavailable=Amount(50, percent=True))),
    "stop.signal": leaf(stop=Stop(signal="SIGINT")),
    "stop.grace": leaf(stop=Stop(grace_ms=1_000)),
    "placement.key": leaf(placement=Placement(require=(replace(REQUIRED, key="rack"),))),
    "placement.op": leaf(placement=Placement(require=(replace(REQUIRED, op=Operator.NOT_IN),))),
    "placement.value": leaf(placement=Placement(require=(replace(REQUIRED, values=("b",)),))),
    "placement.spread": leaf(placement=SPREAD),
    "placement.max_per_node": leaf(placement=replace(BASE.placement, max_per_node=1)),
    "marathon.command": replace(option(command=["other"]), volumes={}),
    "marathon.containerizer": replace(option(containerizer="mesos"), volumes={}),
    "marathon.network": option(network="overlay"),
    "marathon.fetch": option(fetch=[{"uri": "http://files/x"}]),
    "marathon.accepted_resource_roles": option(accepted_resource_roles=["web"]),
    "marathon.role": option(role="web"),
    "marathon.disk": option(disk=7),
    "marathon.gpus": replace(option(gpus=1, containerizer="mesos"), volumes={}),
    "marathon.kill_selection": option(kill_selection="OLDEST_FIRST"),
    "marathon.unreachable": option(unreachable="disabled"),
    "marathon.init": option(init=False),
    "marathon.privileged": option(privileged=True),
    "marathon.force_pull": option(force_pull=True),
    "marathon.patch": option(patch={"maxLaunchDelaySeconds": 60}),
}

# Marathon has no field for these: orchctl reads them back from the label that keeps what was asked for.
KEPT_IN_THE_LABEL = {
    "rollout.min_ready": leaf(rollout=Rollout(min_ready_ms=9_000)),
    "rollout.deadline": leaf(rollout=Rollout(deadline_ms=90_000)),
    "rollout.on_failure": leaf(rollout=Rollout(on_failure=OnFailure.PAUSE)),
    "needs": leaf(needs={"db": "*"}),
    "provides": leaf(provides={"api": "1"}),
    "scale": leaf(scaling=Scaling(min=1, max=7)),
}

# These are refused, or told to be something else: the plan shows it before anything is sent.
TOLD = {
    "restart": (leaf(restart=Restart.NEVER), Policy.REJECT),
    "env.secret.source": (env(S=SecretRef("DB", source="env", version="1")), Policy.REJECT),
    "file.secret": (leaf(files={"/f": File(secret=STORED)}), Policy.REJECT),
    "scale.cpu": (leaf(scaling=Scaling(min=1, max=7, cpu_percent=50)), Policy.WARN),
    "stop.drain": (leaf(stop=Stop(drain_ms=1_000)), Policy.WARN),
    "volume.size": (volume(size_bytes=MIB), Policy.WARN),
    "marathon.load_balancer": (leaf(backends={"marathon": {"secrets_plugin": True}}), Policy.REJECT),
    "marathon.secrets_plugin": (leaf(backends={"marathon": {"load_balancer": "marathon-lb"}}), Policy.REJECT),
}
OF_A_CATALOG = ("allow", "register")  # no backend is told
ALL = NATIVE | KEPT_IN_THE_LABEL


def native(service: Service) -> str:
    """The app as it is sent, without orchctl's own label and without the hash over the whole template."""
    (made,) = BACKEND.render(service)
    body = json.loads(json.dumps(made.body))
    del body["labels"][names.INTENT]
    del body["labels"][names.TEMPLATE]
    return json.dumps(body, sort_keys=True)


@pytest.mark.parametrize("name", NATIVE)
def test_changing_a_leaf_changes_what_marathon_gets(name: str) -> None:
    assert [i for i in BACKEND.check(NATIVE[name]) if i.policy is Policy.REJECT] == []
    assert native(NATIVE[name]) != native(BASE)


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("name", "namespace")])
def test_changing_a_leaf_changes_the_document(name: str) -> None:
    assert BACKEND.project(ALL[name]) != BACKEND.project(BASE)


@pytest.mark.parametrize("name", KEPT_IN_THE_LABEL)
def test_policy_that_marathon_does_not_know_changes_nothing_else(name: str) -> None:
    assert native(KEPT_IN_THE_LABEL[name]) == native(BASE)


@pytest.mark.parametrize("name", TOLD)
def test_what_marathon_does_not_take_is_told(name: str) -> None:
    service, policy = TOLD[name]
    assert policy in {i.policy for i in BACKEND.check(service) if i not in BACKEND.check(BASE)}


def test_the_number_of_values_of_a_spread_goes_with_it() -> None:
    spread = leaf(placement=SPREAD)
    grouped = replace(spread, backends={"marathon": {**OWN, "groups": {"zone": 3}}})
    assert native(grouped) != native(spread)


def test_every_field_and_every_option_has_a_leaf_here() -> None:
    changed = [*ALL.values(), *(service for service, _ in TOLD.values())]
    names_of = [f.name for f in fields(Service) if f.name not in OF_A_CATALOG]
    assert [n for n in names_of if all(getattr(s, n) == getattr(BASE, n) for s in changed)] == []
    assert {o for s in changed for o in s.options("marathon")} | {"groups"} == set(Options.__dataclass_fields__)
