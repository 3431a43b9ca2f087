"""Services for the tests, and apps as Marathon shows them."""

from __future__ import annotations

import copy
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
    Service,
    Stop,
    Volume,
    VolumeKind,
)
from orchctl_marathon import translate

HTTP = Probe(kind=ProbeKind.HTTP, path="/ready", port="http", interval_ms=1_500, timeout_ms=2_000)

FULL = Service(
    name="web",
    namespace="shop",
    image="web:1",
    command=("/bin/serve", "--port", "$(PORT_HTTP)"),
    args=("it's", "$HOME"),
    working_dir="/srv",
    user="1000:1000",
    labels={"team": "checkout"},
    replicas=4,
    ports=(
        Port(name="http", port=8080, expose=Expose.EXTERNAL, published=10080),
        Port(name="stats", port=8125, protocol=Protocol.UDP, expose=Expose.HOST),
    ),
    env={"GREETING": "one", "EMPTY": ""},
    files={"/etc/web/app.toml": File(content=b"a = 1\n"), "/etc/web/b": File(content=b"", mode="0600")},
    volumes={
        "/data": Volume(kind=VolumeKind.NAMED, name="data"),
        "/scratch": Volume(kind=VolumeKind.TMPFS, size_bytes=1 << 20),
        "/host": Volume(kind=VolumeKind.HOST, name="/var/tmp", read_only=True),
    },
    resources=Resources(cpu_millis=250, memory_bytes=64 << 20, cpu_limit_millis=500, memory_limit_bytes=128 << 20),
    health=Health(ready=HTTP, live=Probe(kind=ProbeKind.EXEC, command=("test", "-f", "/up")), start_deadline_ms=10_500),
    rollout=Rollout(max_surge=Amount(50, percent=True), max_unavailable=Amount(1), min_ready_ms=300),
    stop=Stop(signal="SIGINT", grace_ms=2_500),
    placement=Placement(
        require=(
            Requirement(key="zone", values=("a", "b.c")),
            Requirement(key="rack", op=Operator.NOT_IN, values=("attic",)),
            Requirement(key="ssd", op=Operator.EXISTS),
        ),
        spread=("zone",),
        max_per_node=2,
    ),
    needs={"db": ">=2,<3"},
    provides={"api": "2.3"},
    backends={
        "swarm": {"init": True},
        "marathon": {
            "accepted_resource_roles": ["*"],
            "fetch": [{"uri": "http://files/x.tgz", "dest_path": "x"}],
            "groups": {"zone": 3},
            "kill_selection": "OLDEST_FIRST",
            "load_balancer": "marathon-lb",
            "patch": {"maxLaunchDelaySeconds": 60},
            "unreachable": {"inactive_after": 60, "expunge_after": 120},
        },
    },
)


def sample(**changes: Any) -> Service:
    """A small service with the changes given."""
    small = Service(
        name="web",
        namespace="shop",
        image="web:1",
        replicas=3,
        ports=(Port(name="http", port=8080),),
        resources=Resources(memory_bytes=32 << 20, memory_limit_bytes=32 << 20),
    )
    return replace(small, **changes)


def process(**changes: Any) -> Service:
    """A small service without an image."""
    return sample(image=None, command=("serve", "$(PORT_HTTP)"), **changes)


def live(service: Service, **changes: Any) -> dict[str, Any]:
    """The app of ``service`` as Marathon 1.8.248 shows it: defaults filled in, a service port assigned, counts."""
    app: dict[str, Any] = copy.deepcopy(translate.app(service))
    for number, port in enumerate(app.get("portDefinitions", [])):
        app["portDefinitions"][number] = port | {"port": port["port"] or 10_000 + number}
    container = app.get("container", {})
    if "docker" in container:
        container["docker"].setdefault("parameters", [])
        container["docker"].setdefault("privileged", False)
    for number, port in enumerate(container.get("portMappings", [])):
        container["portMappings"][number] = port | {"servicePort": port["servicePort"] or 10_000 + number, "labels": {}}
    for empty in ("constraints", "env", "fetch", "healthChecks", "readinessChecks"):
        if not app[empty]:
            del app[empty]
    return app | {
        "executor": "",
        "requirePorts": app.get("requirePorts", False),
        "version": "2026-11-23T07:05:50.085Z",
        "versionInfo": {"lastScalingAt": "2026-11-23T07:05:50.085Z", "lastConfigChangeAt": "2026-11-23T07:05:50.085Z"},
        "tasksStaged": 0,
        "tasksRunning": 0,
        "tasksHealthy": 0,
        "tasksUnhealthy": 0,
        "deployments": [],
        "tasks": [],
        **changes,
    }
