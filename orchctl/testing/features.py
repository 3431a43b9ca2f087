"""For every Feature a smallest service that asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchctl.core.capability import Feature
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

_MIB = 1 << 20
_PORT = Port(name="http", port=8080)
_HTTP = Probe(kind=ProbeKind.HTTP, path="/", port="http")
_EXEC = Probe(kind=ProbeKind.EXEC, command=("true",))

_CHANGES: dict[Feature, dict[str, Any]] = {
    Feature.IMAGE: {},
    Feature.PROCESS: {"image": None},
    Feature.COMMAND: {"command": ("serve",)},
    Feature.ARGS: {"args": ("--verbose",)},
    Feature.WORKING_DIR: {"working_dir": "/srv"},
    Feature.USER: {"user": "1000:1000"},
    Feature.LABELS: {"labels": {"team": "checkout"}},
    Feature.AUTOSCALE: {"replicas": None, "scaling": Scaling(min=1, max=3)},
    Feature.AUTOSCALE_CPU: {"replicas": None, "scaling": Scaling(min=1, max=3, cpu_percent=70)},
    Feature.PORT_INTERNAL: {"ports": (_PORT,)},
    Feature.PORT_HOST: {"ports": (replace(_PORT, expose=Expose.HOST),)},
    Feature.PORT_CLUSTER: {"ports": (replace(_PORT, expose=Expose.CLUSTER),)},
    Feature.PORT_EXTERNAL: {"ports": (replace(_PORT, expose=Expose.EXTERNAL),)},
    Feature.PORT_PUBLISHED: {
        "ports": (replace(_PORT, expose=Expose.HOST, published=18080),),
        "replicas": 1,
        "rollout": Rollout(max_surge=Amount(0), max_unavailable=Amount(1)),
    },
    Feature.PORT_UDP: {"ports": (replace(_PORT, protocol=Protocol.UDP),)},
    Feature.PORT_SCTP: {"ports": (replace(_PORT, protocol=Protocol.SCTP),)},
    Feature.ENV: {"env": {"LOG": "info"}},
    Feature.ENV_SECRET: {"env": {"PASSWORD": SecretRef("db", "password")}},
    Feature.FILE_CONTENT: {"files": {"/etc/motd": File(content=b"hello")}},
    Feature.FILE_SECRET: {"files": {"/etc/key": File(secret=SecretRef("db", "key"))}},
    Feature.FILE_MODE: {"files": {"/etc/motd": File(content=b"hello", mode="0400")}},
    Feature.SECRET_STORE: {"files": {"/etc/key": File(secret=SecretRef("db", "key"))}},
    Feature.SECRET_PROVIDER: {
        "files": {"/etc/key": File(secret=SecretRef("KEY", source="env", version="0123456789ab"))}
    },
    Feature.VOLUME_NAMED: {"volumes": {"/data": Volume(kind=VolumeKind.NAMED, name="data")}},
    Feature.VOLUME_SIZE: {"volumes": {"/data": Volume(kind=VolumeKind.NAMED, name="data", size_bytes=64 * _MIB)}},
    Feature.VOLUME_TMPFS: {"volumes": {"/tmp": Volume(kind=VolumeKind.TMPFS, size_bytes=64 * _MIB)}},
    Feature.VOLUME_HOST: {"volumes": {"/data": Volume(kind=VolumeKind.HOST, name="/srv/data", read_only=True)}},
    Feature.RESOURCES_CPU: {"resources": Resources(cpu_millis=250)},
    Feature.RESOURCES_MEMORY: {"resources": Resources(memory_bytes=64 * _MIB)},
    Feature.LIMITS_CPU: {"resources": Resources(cpu_limit_millis=500)},
    Feature.LIMITS_MEMORY: {"resources": Resources(memory_limit_bytes=128 * _MIB)},
    Feature.HEALTH_READY: {"ports": (_PORT,), "health": Health(ready=_HTTP)},
    Feature.HEALTH_LIVE: {"ports": (_PORT,), "health": Health(live=_HTTP)},
    Feature.HEALTH_BOTH: {"ports": (_PORT,), "health": Health(ready=_HTTP, live=_EXEC)},
    Feature.HEALTH_HTTP: {"ports": (_PORT,), "health": Health(ready=_HTTP)},
    Feature.HEALTH_TCP: {"ports": (_PORT,), "health": Health(ready=Probe(kind=ProbeKind.TCP, port="http"))},
    Feature.HEALTH_EXEC: {"health": Health(ready=_EXEC)},
    Feature.HEALTH_GRPC: {"ports": (_PORT,), "health": Health(ready=Probe(kind=ProbeKind.GRPC, port="http"))},
    Feature.ROLLOUT_SURGE: {"rollout": Rollout(max_surge=Amount(2))},
    Feature.ROLLOUT_UNAVAILABLE: {"rollout": Rollout(max_surge=Amount(0), max_unavailable=Amount(1))},
    Feature.ROLLOUT_BOTH: {"rollout": Rollout(max_surge=Amount(1), max_unavailable=Amount(1))},
    Feature.ROLLOUT_RECREATE: {"rollout": Rollout(strategy=Strategy.RECREATE)},
    Feature.RESTART_ON_FAILURE: {"restart": Restart.ON_FAILURE},
    Feature.RESTART_NEVER: {"restart": Restart.NEVER},
    Feature.STOP_SIGNAL: {"stop": Stop(signal="SIGQUIT")},
    Feature.STOP_GRACE: {"stop": Stop(grace_ms=3_000)},
    Feature.STOP_DRAIN: {"ports": (_PORT,), "stop": Stop(drain_ms=5_000)},
    Feature.PLACEMENT_IN: {"placement": Placement(require=(Requirement(key="zone", values=("a",)),))},
    Feature.PLACEMENT_IN_SEVERAL: {"placement": Placement(require=(Requirement(key="zone", values=("a", "b")),))},
    Feature.PLACEMENT_NOT_IN: {
        "placement": Placement(require=(Requirement(key="zone", op=Operator.NOT_IN, values=("a",)),))
    },
    Feature.PLACEMENT_EXISTS: {"placement": Placement(require=(Requirement(key="ssd", op=Operator.EXISTS),))},
    Feature.PLACEMENT_SPREAD: {"placement": Placement(spread=("zone",))},
    Feature.PLACEMENT_MAX_PER_NODE: {"placement": Placement(max_per_node=1)},
}


def service_using(feature: Feature) -> Service | None:
    """A service that asks for ``feature``; None for the features that are verbs (logs, pausing)."""
    changes = _CHANGES.get(feature)
    if changes is None:
        return None
    base = Service(
        name="web",
        namespace="default",
        image="web:1",
        command=("serve",),
        replicas=2,
        rollout=Rollout(max_surge=Amount(1), max_unavailable=Amount(0)),
        stop=Stop(grace_ms=1_000),
    )
    return replace(base, **changes)


def service_using_all(features: list[Feature]) -> Service:
    """One service that asks for several; of features that exclude each other the last one wins."""
    changes: dict[str, Any] = {}
    for feature in features:
        for field_name, value in _CHANGES.get(feature, {}).items():
            before = changes.get(field_name)
            changes[field_name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    base = service_using(Feature.IMAGE)
    assert base is not None
    return replace(base, **changes)
