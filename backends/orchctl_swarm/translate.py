"""Service -> the objects of the Swarm API. Pure: same service, same bytes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchctl.core.codec import canonical_json, to_plain
from orchctl.core.document import drop_empty
from orchctl.core.patch import merge_patch
from orchctl.core.plan import NativeObject
from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Operator,
    Port,
    Requirement,
    Resources,
    Restart,
    Service,
    Strategy,
)
from orchctl_swarm.container import NS_PER_MS, container_spec
from orchctl_swarm.names import (
    INTENT,
    config_name,
    digests_of,
    network_name,
    owner_labels,
    secret_name,
    service_name,
)
from orchctl_swarm.options import options_of

# Short, so that the third exit of a crash loop is known within 15 s: the engine's own default of 5 s
# needs more than that on a busy node.
RESTART_DELAY_NS = 2_000 * NS_PER_MS

# An update without a look at the new tasks is none: this long each new task is watched at least.
_LEAST_MONITOR_MS = 500

_CONDITIONS = {Restart.ALWAYS: "any", Restart.ON_FAILURE: "on-failure", Restart.NEVER: "none"}


def render(service: Service) -> list[NativeObject]:
    """Network, configs, secrets (without their values), service: in the order in which they are made."""
    digests = digests_of(service)
    objects = [NativeObject(kind="Network", name=network_name(service.namespace), body=network(service.namespace))]
    files = sorted((p, f) for p, f in service.files.items() if f.secret is None)
    objects += [_named("Config", config(service, digests[p], f.content or b"")) for p, f in files]
    secrets = sorted((p, f.secret) for p, f in service.files.items() if f.secret and f.secret.source)
    objects += [_named("Secret", secret(service, secret_name(service, ref))) for _, ref in secrets]
    return [*_distinct(objects), _named("Service", service_spec(service, digests))]


def network(namespace: str) -> dict[str, Any]:
    """The namespace's own overlay. Attachable, so that ``docker run --network`` can look inside."""
    return {
        "Name": network_name(namespace),
        "Driver": "overlay",
        "Attachable": True,
        "Labels": owner_labels(namespace),
    }


def config(service: Service, digest: str, content: bytes) -> dict[str, Any]:
    return {
        "Name": config_name(service, digest),
        "Labels": owner_labels(service.namespace, service.name),
        "Data": base64.b64encode(content).decode("ascii"),
    }


def secret(service: Service, name: str) -> dict[str, Any]:
    """The secret as it is shown: its data is added by the writer alone."""
    return {"Name": name, "Labels": owner_labels(service.namespace, service.name)}


def service_spec(service: Service, digests: Mapping[str, str]) -> dict[str, Any]:
    """The whole ServiceSpec: what is not in it would be reset by the engine. Networks, configs and secrets by name."""
    replicas = 1 if service.replicas is None else service.replicas
    strategy = _update_config(service, replicas)
    spec: dict[str, Any] = {
        "Name": service_name(service.namespace, service.name),
        "Labels": {
            **service.labels,
            **owner_labels(service.namespace, service.name),
            INTENT: intent(service, digests, replicas),
        },
        "TaskTemplate": {
            "ContainerSpec": container_spec(service, digests),
            "Resources": _resources(service.resources),
            "RestartPolicy": {"Condition": _CONDITIONS[service.restart], "Delay": RESTART_DELAY_NS, "MaxAttempts": 0},
            "Placement": _placement(service),
            "Networks": [
                {"Target": network_name(service.namespace), "Aliases": [service.name]},
                *({"Target": name} for name in options_of(service).networks),
            ],
            "ForceUpdate": 0,
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
        "UpdateConfig": strategy,
        "RollbackConfig": strategy,
        "EndpointSpec": endpoint_spec(service),
    }
    patched: dict[str, Any] = merge_patch(spec, options_of(service).patch)
    return patched


def intent(service: Service, digests: Mapping[str, str], replicas: int) -> str:
    """What was asked for, as one label: the live object alone then tells port names, probes, policy and needs.

    Without the count, which ``scale`` changes, and with contents as digests. ``sized`` is the count that
    percentages were taken of.
    """
    files = {p: replace(f, content=b"") if f.secret is None else f for p, f in service.files.items()}
    plain = to_plain(replace(service, replicas=None, files=files))
    return canonical_json({"files": dict(digests), "service": plain, "sized": replicas})


def endpoint_spec(service: Service) -> dict[str, Any]:
    """dnsrr unless a port goes through the ingress: virtual addresses keep sending to tasks that are stopping."""
    ports = [_port(p) for p in service.ports if p.expose is not Expose.INTERNAL]
    mode = options_of(service).endpoint_mode
    if not mode:
        mode = "vip" if any(p["PublishMode"] == "ingress" for p in ports) else "dnsrr"
    return {"Mode": mode, "Ports": ports} if ports else {"Mode": mode}


def _port(port: Port) -> dict[str, Any]:
    return drop_empty(
        {
            "Name": port.name,
            "Protocol": port.protocol.value,
            "TargetPort": port.port,
            "PublishedPort": port.published,
            "PublishMode": "host" if port.expose is Expose.HOST else "ingress",
        }
    )


def _update_config(service: Service, replicas: int) -> dict[str, Any]:
    """All six fields. A failure pauses: going back is orchctl's decision, made from its records."""
    rollout = service.rollout
    surge = rollout.max_surge.of(replicas, round_up=True)
    order, parallelism = "start-first", surge
    if rollout.strategy is Strategy.RECREATE:
        order, parallelism = "stop-first", 0
    elif surge == 0:
        order, parallelism = "stop-first", max(1, rollout.max_unavailable.of(replicas, round_up=False))
    return {
        "Parallelism": parallelism,
        "Delay": rollout.min_ready_ms * NS_PER_MS,
        "FailureAction": "pause",
        "Monitor": max(_LEAST_MONITOR_MS, rollout.min_ready_ms) * NS_PER_MS,
        "MaxFailureRatio": 0,
        "Order": order,
    }


def starts_first(service: Service) -> bool:
    """Does a rollout run old and new tasks of a slot side by side?"""
    return service.rollout.strategy is Strategy.ROLLING and service.rollout.max_surge != Amount(0)


def _resources(resources: Resources) -> dict[str, Any]:
    def part(cpu: int | None, memory: int | None) -> dict[str, int]:
        found = {"NanoCPUs": cpu and cpu * NS_PER_MS, "MemoryBytes": memory}
        return {name: value for name, value in found.items() if value}

    return drop_empty(
        {
            "Limits": part(resources.cpu_limit_millis, resources.memory_limit_bytes),
            "Reservations": part(resources.cpu_millis, resources.memory_bytes),
        }
    )


def _placement(service: Service) -> dict[str, Any]:
    placement = service.placement
    return drop_empty(
        {
            "Constraints": [c for r in placement.require for c in _constraints(r)],
            "Preferences": [{"Spread": {"SpreadDescriptor": node_label(key)}} for key in placement.spread],
            "MaxReplicas": placement.max_per_node,
        }
    )


def node_label(key: str) -> str:
    """``node.hostname``, ``engine.labels.x`` and the like stay; any other key is a label of the node."""
    return key if key.startswith(("node.", "engine.")) else f"node.labels.{key}"


def _constraints(requirement: Requirement) -> list[str]:
    sign = "==" if requirement.op is Operator.IN else "!="
    return [f"{node_label(requirement.key)}{sign}{value}" for value in requirement.values]


def _named(kind: str, body: dict[str, Any]) -> NativeObject:
    return NativeObject(kind=kind, name=body["Name"], body=body)


def _distinct(objects: list[NativeObject]) -> list[NativeObject]:
    """Two files with the same content share one config."""
    return list({(o.kind, o.name): o for o in objects}.values())


def contents(service: Service) -> dict[str, File]:
    """Generated configs by name, with the file each holds."""
    digests = digests_of(service)
    return {config_name(service, digest): service.files[path] for path, digest in digests.items()}


def image_of(spec: Mapping[str, Any]) -> str:
    return str((spec["TaskTemplate"].get("ContainerSpec") or {}).get("Image", ""))
