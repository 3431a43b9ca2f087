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
from orchctl_kubernetes import names
from orchctl_kubernetes.adapter import KubernetesBackend
from orchctl_kubernetes.options import Options
from tests.unit.kubernetes.sample import bodies, sample

BACKEND = KubernetesBackend()
PORT = Port(name="http", port=8080)
PROBE = Probe(kind=ProbeKind.HTTP, path="/", port="http")
REQUIRED = Requirement(key="zone", values=("a",))
DATA = Volume(kind=VolumeKind.NAMED, name="v")
PROVIDED = SecretRef("S", source="env", version="1")
STORED = SecretRef("db", key="password")
BASE = sample(
    command=("serve",),
    args=("-v",),
    ports=(PORT,),
    env={"A": "1", "P": PROVIDED, "S": STORED},
    files={
        "/f": File(content=b"x"),
        "/s": File(secret=SecretRef("T", source="env", version="1")),
        "/t": File(secret=STORED),
    },
    volumes={"/v": DATA},
    resources=Resources(cpu_millis=500),
    health=Health(ready=PROBE, live=PROBE),
    placement=Placement(require=(REQUIRED,)),
)


def leaf(**changes: Any) -> Service:
    return replace(BASE, **changes)


def option(**options: Any) -> Service:
    return leaf(backends={"kubernetes": options})


def env(**changes: Any) -> Service:
    return leaf(env={**BASE.env, **changes})


def file(path: str, changed: File) -> Service:
    return leaf(files={**BASE.files, path: changed})


def port(**changes: Any) -> Service:
    return leaf(ports=(replace(PORT, **changes),))


def ready(**changes: Any) -> Service:
    return leaf(health=replace(BASE.health, ready=replace(PROBE, **changes)))


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
    "labels that are annotations": leaf(labels={"a": "b c"}),
    "replicas": leaf(replicas=7),
    "scale.cpu": leaf(scaling=Scaling(min=1, max=3, cpu_percent=50)),
    "port": port(port=81),
    "port.name": leaf(
        ports=(replace(PORT, name="web"),),
        health=Health(ready=replace(PROBE, port="web"), live=replace(PROBE, port="web")),
    ),
    "port.protocol": leaf(ports=(PORT, Port(name="dns", port=53, protocol=Protocol.UDP))),
    "port.expose cluster": port(expose=Expose.CLUSTER),
    "port.expose external": port(expose=Expose.EXTERNAL),
    "port.published": port(published=30_000, expose=Expose.CLUSTER),
    "env": env(A="2"),
    "env empty": env(A=""),
    "env another": env(B="1"),
    "env.secret.version": env(P=replace(PROVIDED, version="2")),
    "env.secret.source": env(P=replace(PROVIDED, source="file")),
    "env.secret.name": env(S=replace(STORED, name="db2")),
    "env.secret.key": env(S=replace(STORED, key="user")),
    "file.path": leaf(files={"/g" if p == "/f" else p: f for p, f in BASE.files.items()}),
    "file.content": file("/f", File(content=b"y")),
    "file.mode": file("/f", File(content=b"x", mode="0400")),
    "file.secret.version": file("/s", File(secret=SecretRef("T", source="env", version="2"))),
    "file.secret.mode": file("/s", File(secret=SecretRef("T", source="env", version="1"), mode="0400")),
    "file.secret.key": file("/t", File(secret=replace(STORED, key="user"))),
    "volume.path": leaf(volumes={"/w": DATA}),
    "volume.name": leaf(volumes={"/v": replace(DATA, name="w")}),
    "volume.kind": leaf(volumes={"/v": Volume(kind=VolumeKind.TMPFS, size_bytes=1)}),
    "volume.size": leaf(volumes={"/v": replace(DATA, size_bytes=1 << 31)}),
    "volume.read_only": leaf(volumes={"/v": replace(DATA, read_only=True)}),
    "resources.cpu": leaf(resources=Resources(cpu_millis=1)),
    "resources.memory": leaf(resources=replace(BASE.resources, memory_bytes=8 << 20)),
    "resources.limits.cpu": leaf(resources=replace(BASE.resources, cpu_limit_millis=900)),
    "resources.limits.memory": leaf(resources=replace(BASE.resources, memory_limit_bytes=8 << 20)),
    "probe.kind": ready(kind=ProbeKind.TCP),
    "probe.path": ready(path="/x"),
    "probe.interval": ready(interval_ms=9_000),
    "probe.timeout": ready(timeout_ms=9_000),
    "probe.failures": ready(failures=9),
    "health.live": leaf(health=replace(BASE.health, live=None)),
    "health.start.deadline": leaf(health=replace(BASE.health, start_deadline_ms=5_000)),
    "rollout.strategy": leaf(rollout=Rollout(strategy=Strategy.RECREATE)),
    "rollout.max_surge": leaf(rollout=Rollout(max_surge=Amount(2))),
    "rollout.max_unavailable": leaf(rollout=Rollout(max_surge=Amount(0), max_unavailable=Amount(1))),
    "rollout.max_unavailable in percent": leaf(rollout=Rollout(max_unavailable=Amount(1, percent=True))),
    "rollout.min_ready": leaf(rollout=Rollout(min_ready_ms=9_000)),
    "rollout.deadline": leaf(rollout=Rollout(deadline_ms=90_000)),
    "stop.grace": leaf(stop=Stop(grace_ms=1_000)),
    "stop.drain": leaf(stop=Stop(drain_ms=1_000)),
    "placement.key": leaf(placement=Placement(require=(replace(REQUIRED, key="rack"),))),
    "placement.op": leaf(placement=Placement(require=(replace(REQUIRED, op=Operator.NOT_IN),))),
    "placement.value": leaf(placement=Placement(require=(replace(REQUIRED, values=("b",)),))),
    "placement.spread": leaf(placement=replace(BASE.placement, spread=("rack",))),
    "placement.max_per_node": leaf(placement=replace(BASE.placement, max_per_node=1)),
    "kubernetes.service_account": option(service_account="web"),
    "kubernetes.image_pull_secrets": option(image_pull_secrets=["registry"]),
    "kubernetes.image_pull_policy": option(image_pull_policy="Always"),
    "kubernetes.headless": option(headless=True),
    "kubernetes.node_labels": option(node_labels={"zone": "topology.kubernetes.io/zone"}),
    "kubernetes.disruption_budget": option(disruption_budget={"min_available": 1}),
    "kubernetes.security_context": option(security_context={"privileged": True}),
    "kubernetes.pod_security_context": option(pod_security_context={"fsGroup": 1}),
    "kubernetes.tolerations": option(tolerations=[{"key": "x"}]),
    "kubernetes.priority_class": option(priority_class="high"),
    "kubernetes.storage_class": option(storage_class="fast"),
    "kubernetes.access_mode": option(access_mode="ReadWriteMany"),
    "kubernetes.patch": option(patch={"spec": {"revisionHistoryLimit": 3}}),
    "kubernetes.service_patch": option(service_patch={"spec": {"sessionAffinity": "ClientIP"}}),
}

# Kubernetes has no field for these: orchctl reads them back from the annotation that keeps what was asked for.
KEPT_IN_THE_ANNOTATION = {
    "rollout.on_failure": leaf(rollout=Rollout(on_failure=OnFailure.PAUSE)),
    "needs": leaf(needs={"db": "*"}),
    "provides": leaf(provides={"api": "1"}),
    "scale": leaf(scaling=Scaling(min=1, max=3)),
    "stop.signal": leaf(stop=Stop(signal="SIGINT")),
}

# These are refused, or told to be something else: the plan shows it before anything is sent.
TOLD = {
    "restart": (leaf(restart=Restart.NEVER), Policy.REJECT),
    "port.expose host": (port(expose=Expose.HOST), Policy.EMULATE),
    "stop.signal": (leaf(stop=Stop(signal="SIGINT")), Policy.WARN),
}
ALL = NATIVE | KEPT_IN_THE_ANNOTATION


def native(service: Service) -> str:
    """All objects as they are sent, without orchctl's own annotation and without the hash over the whole template."""
    objects = bodies(service)
    made = objects["Deployment", service.name]
    del made["metadata"]["annotations"][names.INTENT]
    del made["spec"]["template"]["metadata"]["labels"][names.TEMPLATE]
    return json.dumps(list(objects.values()), sort_keys=True)


@pytest.mark.parametrize("name", NATIVE)
def test_changing_a_leaf_changes_what_kubernetes_gets(name: str) -> None:
    assert [i for i in BACKEND.check(NATIVE[name]) if i.policy is Policy.REJECT] == []
    assert native(NATIVE[name]) != native(BASE)


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("name", "namespace")])
def test_changing_a_leaf_changes_the_document(name: str) -> None:
    assert BACKEND.project(ALL[name]) != BACKEND.project(BASE)


@pytest.mark.parametrize("name", KEPT_IN_THE_ANNOTATION)
def test_policy_that_kubernetes_does_not_know_changes_nothing_else(name: str) -> None:
    assert native(KEPT_IN_THE_ANNOTATION[name]) == native(BASE)


@pytest.mark.parametrize("name", TOLD)
def test_what_kubernetes_does_not_take_is_told(name: str) -> None:
    service, policy = TOLD[name]
    assert policy in {i.policy for i in BACKEND.check(service) if i not in BACKEND.check(BASE)}


OF_A_CATALOG = ("allow", "register")  # no backend is told


def test_every_field_and_every_option_has_a_leaf_here() -> None:
    changed = [*ALL.values(), *(service for service, _ in TOLD.values())]
    names_of = [f.name for f in fields(Service) if f.name not in OF_A_CATALOG]
    assert [n for n in names_of if all(getattr(s, n) == getattr(BASE, n) for s in changed)] == []
    assert {o for s in changed for o in s.options("kubernetes")} == set(Options.__dataclass_fields__)
