"""A service that uses everything Kubernetes takes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Health,
    Operator,
    Placement,
    Port,
    Probe,
    ProbeKind,
    Protocol,
    Requirement,
    Resources,
    Rollout,
    Scaling,
    SecretRef,
    Service,
    Stop,
    Volume,
    VolumeKind,
)
from orchctl_kubernetes.translate import render

FULL = Service(
    name="web",
    namespace="shop",
    image="registry.example/web:1",
    image_digest="sha256:" + "ab" * 32,
    command=("/bin/web", "--name", "$(GREETING)"),
    args=("--port", "$(PORT_HTTP)", "--key", "$(KEY)", "--price", "5$$"),
    working_dir="/srv",
    user="1000:2000",
    labels={"team": "checkout", "motto": "as long as it takes, and then some"},
    replicas=3,
    scaling=Scaling(min=2, max=9, cpu_percent=70),
    ports=(
        Port(name="http", port=8080),
        Port(name="metrics", port=9100, expose=Expose.HOST, published=19100),
        Port(name="dns", port=53, protocol=Protocol.UDP, expose=Expose.CLUSTER, published=30053),
        Port(name="web", port=8443, expose=Expose.EXTERNAL, published=443),
    ),
    env={
        "GREETING": "one",
        "EMPTY": "",
        "PRICE": "$$5 for $(NOTHING)",
        "KEY": SecretRef(name="KEY", source="env", version="0123456789abcdef"),
        "PASSWORD": SecretRef(name="db", key="password"),
    },
    files={
        "/etc/web/app.toml": File(content=b"a = 1\n"),
        "/etc/web/logo.png": File(content=b"\x89PNG\r\n"),
        "/etc/web/key": File(secret=SecretRef(name="KEY", source="env", version="0123456789abcdef"), mode="0400"),
        "/etc/web/password": File(secret=SecretRef(name="db", key="password"), mode="0440"),
    },
    volumes={
        "/data": Volume(kind=VolumeKind.NAMED, name="data", size_bytes=5 << 30),
        "/data-again": Volume(kind=VolumeKind.NAMED, name="data", size_bytes=5 << 30, read_only=True),
        "/scratch": Volume(kind=VolumeKind.TMPFS, size_bytes=1 << 20),
        "/host": Volume(kind=VolumeKind.HOST, name="/var/tmp", read_only=True),
    },
    resources=Resources(cpu_millis=250, memory_bytes=8 << 20, cpu_limit_millis=1_000, memory_limit_bytes=64 << 20),
    health=Health(
        ready=Probe(kind=ProbeKind.HTTP, path="/ready", port="http", interval_ms=2_000),
        live=Probe(kind=ProbeKind.TCP, port="http", interval_ms=10_000, failures=5),
        start_deadline_ms=90_000,
    ),
    rollout=Rollout(max_surge=Amount(0), max_unavailable=Amount(25, percent=True), deadline_ms=120_000),
    stop=Stop(grace_ms=20_000, drain_ms=5_000),
    placement=Placement(
        require=(
            Requirement(key="disk", values=("ssd", "nvme")),
            Requirement(key="zone", op=Operator.NOT_IN, values=("attic",)),
            Requirement(key="gpu", op=Operator.NOT_EXISTS),
        ),
        spread=("zone",),
        max_per_node=1,
    ),
    needs={"db": ">=2,<3"},
    provides={"api": "2.3"},
    backends={
        "kubernetes": {
            "service_account": "web",
            "image_pull_secrets": ["registry"],
            "image_pull_policy": "IfNotPresent",
            "node_labels": {"zone": "topology.kubernetes.io/zone"},
            "disruption_budget": {"max_unavailable": "25%"},
            "security_context": {"readOnlyRootFilesystem": True},
            "pod_security_context": {"fsGroup": 2000},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "priority_class": "shop",
            "storage_class": "fast",
            "access_mode": "ReadWriteMany",
            "patch": {"spec": {"template": {"spec": {"hostname": "web", "enableServiceLinks": None}}}},
            "service_patch": {"spec": {"sessionAffinity": "ClientIP"}},
        }
    },
)


def sample(**changes: Any) -> Service:
    """A small service with the changes given."""
    small = Service(name="web", namespace="shop", image="web:1", replicas=2, ports=(Port(name="http", port=8080),))
    return replace(small, **changes)


def bodies(service: Service) -> dict[tuple[str, str], dict[str, Any]]:
    """What is sent, by kind and name, in the order of sending."""
    return {(o.kind, o.name): json.loads(json.dumps(o.body)) for o in render(service)}


def deployment(service: Service) -> dict[str, Any]:
    return list(bodies(service).values())[-1]


def pod(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = deployment(service)["spec"]["template"]["spec"]
    return found


def container(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = pod(service)["containers"][0]
    return found
