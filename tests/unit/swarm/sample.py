"""A service that uses everything Swarm takes."""

from __future__ import annotations

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
    Requirement,
    Resources,
    Rollout,
    SecretRef,
    Service,
    Stop,
    Volume,
    VolumeKind,
)

FULL = Service(
    name="web",
    namespace="shop",
    image="127.0.0.1:1/busybox:1",
    command=("/bin/sh", "-c"),
    args=('printf %s "$GREETING" > /tmp/index.html; exec httpd -f -p $(PORT_HTTP) -h /tmp',),
    working_dir="/tmp",
    user="1000:1000",
    labels={"team": "checkout"},
    replicas=2,
    ports=(Port(name="http", port=8080, expose=Expose.HOST), Port(name="admin", port=9090)),
    env={"GREETING": "one", "EMPTY": ""},
    files={
        "/etc/web/app.toml": File(content=b"a = 1\n"),
        "/etc/web/key": File(secret=SecretRef(name="KEY", source="env", version="0123456789abcdef"), mode="0400"),
    },
    volumes={
        "/data": Volume(kind=VolumeKind.NAMED, name="data"),
        "/scratch": Volume(kind=VolumeKind.TMPFS, size_bytes=1 << 20),
        "/host": Volume(kind=VolumeKind.HOST, name="/var/tmp", read_only=True),
    },
    resources=Resources(cpu_millis=10, memory_bytes=8 << 20, cpu_limit_millis=1_000, memory_limit_bytes=64 << 20),
    health=Health(
        ready=Probe(kind=ProbeKind.HTTP, path="/", port="http", interval_ms=200, timeout_ms=2_000),
        start_deadline_ms=10_000,
    ),
    rollout=Rollout(max_surge=Amount(50, percent=True), min_ready_ms=300, deadline_ms=60_000),
    stop=Stop(signal="SIGTERM", grace_ms=2_000),
    placement=Placement(
        require=(
            Requirement(key="node.role", values=("manager",)),
            Requirement(key="zone", op=Operator.NOT_IN, values=("attic", "cellar")),
        ),
        spread=("zone",),
        max_per_node=4,
    ),
    needs={"db": ">=2,<3"},
    provides={"api": "2.3"},
    backends={"swarm": {"resolve_image": "never", "patch": {"TaskTemplate": {"ContainerSpec": {"TTY": True}}}}},
)


def sample(**changes: Any) -> Service:
    """A small service with the changes given."""
    small = Service(name="web", namespace="shop", image="web:1", replicas=2, ports=(Port(name="http", port=8080),))
    return replace(small, **changes)
