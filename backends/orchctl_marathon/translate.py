"""Service -> the app of Marathon's API. Pure: same service, same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchctl.core.codec import canonical_json, to_plain
from orchctl.core.document import drop_empty, file_document, image_reference, template_hash
from orchctl.core.patch import merge_patch
from orchctl.core.plan import NativeObject
from orchctl.core.service import Expose, Port, SecretRef, Service, Volume, VolumeKind
from orchctl_marathon import health, placement, rollout
from orchctl_marathon.command import environment, file_paths, is_process, run_of, shares_host
from orchctl_marathon.names import INTENT, LOAD_BALANCER_GROUP, TEMPLATE, app_id, owner_labels, volume_name
from orchctl_marathon.options import Options, options_of

MIB = 1 << 20
DEFAULT_CPUS = 0.1
DEFAULT_MEMORY = 128
"""CPUs and MiB of an instance whose spec does not say: sent, because Marathon's own defaults are a whole CPU and 128."""

BACKOFF = {"backoffSeconds": 1, "backoffFactor": 1.15, "maxLaunchDelaySeconds": 300}
"""Marathon's defaults, sent: a crash loop is seen by its quick first relaunches."""


def render(service: Service) -> list[NativeObject]:
    body = app(service)
    return [NativeObject(kind="App", name=body["id"], body=body)]


def app(service: Service) -> dict[str, Any]:
    """The whole app: what is not in it would be reset, or filled in by Marathon as it likes."""
    options = options_of(service)
    replicas = 1 if service.replicas is None else service.replicas
    body: dict[str, Any] = {
        "id": app_id(service.namespace, service.name),
        "instances": replicas,
        **_process(service, options),
        **_resources(service, options),
        **_network(service, options),
        "env": _environment(service),
        "labels": _labels(service, replicas),
        "healthChecks": health.health_checks(service),
        "readinessChecks": health.readiness_checks(service),
        "upgradeStrategy": rollout.upgrade_strategy(service, replicas),
        "constraints": placement.constraints(service),
        "fetch": [_fetch(f) for f in options.fetch],
        "killSelection": options.kill_selection,
        "unreachableStrategy": _unreachable(options),
        "taskKillGracePeriodSeconds": health.seconds(service.stop.grace_ms),
        **BACKOFF,
        **drop_empty({"acceptedResourceRoles": list(options.accepted_resource_roles), "role": options.role}),
    }
    if secrets := _secrets(service):
        body["secrets"] = secrets
    patched: dict[str, Any] = merge_patch(body, options.patch)
    return patched


def intent(service: Service, replicas: int) -> str:
    """What was asked for, as one label: the live app alone then tells port names, probes, policy and needs.

    Without the count, which ``scale`` changes, with contents as digests, and without the options of other backends,
    since a changed label replaces every instance. ``sized`` is the count that the fractions were made for.
    """
    files = {p: replace(f, content=b"") if f.secret is None else f for p, f in service.files.items()}
    own = {name: value for name, value in service.backends.items() if name == "marathon"}
    plain = to_plain(replace(service, replicas=None, files=files, backends=own))
    return canonical_json({"files": digests_of(service), "service": plain, "sized": replicas})


def resized_intent(noted: str, replicas: int) -> str:
    """The label ``noted`` (known to be readable) for fractions made anew."""
    found = {name: value for name, value in json.loads(noted).items() if name != "strict"}
    return canonical_json({**found, "sized": replicas})


def strict_intent(labels: Mapping[str, str], replicas: int) -> dict[str, str]:
    """``labels`` that say: these fractions were made stricter than the spec's, for ``replicas`` instances."""
    noted = json.loads(labels[INTENT])
    return {**labels, INTENT: canonical_json({**noted, "sized": replicas, "strict": True})}


def digests_of(service: Service) -> dict[str, str]:
    """Content digest by path of every file that is not a secret."""
    return {path: file_document(service.files[path])["content"] for path in file_paths(service)}


def _process(service: Service, options: Options) -> dict[str, Any]:
    run = run_of(service)
    part: dict[str, Any] = {"cmd": run.line} if run.line else {"args": list(run.args)} if run.args else {}
    if is_process(service):
        return part | ({"user": service.user} if service.user else {})
    docker: dict[str, Any] = {"image": image_reference(service), "forcePullImage": options.force_pull}
    container: dict[str, Any] = {"type": options.containerizer.upper(), "docker": docker}
    if options.containerizer == "docker":
        docker |= {"privileged": options.privileged, "parameters": _parameters(service, run.entrypoint)}
    elif service.user:
        part["user"] = service.user
    container["volumes"] = [_mount(t, v) for t, v in sorted(service.volumes.items()) if v.kind is VolumeKind.HOST]
    if not shares_host(service):
        named = options.network not in ("", "bridge")
        container["portMappings"] = [_mapping(p, named=named) for p in service.ports]
    return part | {"container": container}


def _parameters(service: Service, entrypoint: str) -> list[dict[str, str]]:
    """Flags of ``docker run``."""
    found = [
        ("entrypoint", entrypoint),
        ("workdir", "" if run_of(service).line else service.working_dir),
        ("user", service.user),
        ("stop-signal", service.stop.signal if service.stop.signal != "SIGTERM" else ""),
        ("init", "true" if options_of(service).init else ""),
    ]
    for target, volume in sorted(service.volumes.items()):
        if volume.kind is VolumeKind.TMPFS:
            size, mode = f"size={volume.size_bytes}" if volume.size_bytes else "", "ro" if volume.read_only else ""
            flags = ",".join(flag for flag in (size, mode) if flag)
            found.append(("tmpfs", f"{target}:{flags}" if flags else target))
        elif volume.kind is VolumeKind.NAMED:
            mode = ":ro" if volume.read_only else ""
            found.append(("volume", f"{volume_name(service, volume.name)}:{target}{mode}"))
    return [{"key": key, "value": value} for key, value in found if value]


def _mount(target: str, volume: Volume) -> dict[str, str]:
    return {"containerPath": target, "hostPath": volume.name, "mode": "RO" if volume.read_only else "RW"}


def _resources(service: Service, options: Options) -> dict[str, Any]:
    r = service.resources
    share = r.cpu_millis if r.cpu_millis is not None else r.cpu_limit_millis
    cpus = DEFAULT_CPUS if share is None else share / 1_000
    reserved = r.memory_bytes if r.memory_bytes is not None else r.memory_limit_bytes
    memory = DEFAULT_MEMORY if reserved is None else _mebibytes(reserved)
    limits: dict[str, Any] = {}
    if r.cpu_limit_millis is not None:
        limits["cpus"] = r.cpu_limit_millis / 1_000
    if r.memory_limit_bytes is not None and _mebibytes(r.memory_limit_bytes) != memory:
        limits["mem"] = _mebibytes(r.memory_limit_bytes)
    found: dict[str, Any] = {"cpus": cpus, "mem": memory, "disk": options.disk, "gpus": options.gpus}
    return found | ({"resourceLimits": limits} if limits else {})


def _mebibytes(size: int) -> int:
    return -(-size // MIB)


def _network(service: Service, options: Options) -> dict[str, Any]:
    """Always explicit, an empty list included: else Marathon makes up a port, and a service port with it."""
    if shares_host(service):
        return {
            "networks": [{"mode": "host"}],
            "portDefinitions": [_definition(p) for p in service.ports],
            "requirePorts": any(is_fixed(p) for p in service.ports),
        }
    if options.network in ("", "bridge"):
        return {"networks": [{"mode": "container/bridge"}]}
    return {"networks": [{"mode": "container", "name": options.network}]}


def is_fixed(port: Port) -> bool:
    """A number of the host; with a load balancer in front ``published`` is the service port."""
    return port.published is not None and port.expose is Expose.HOST


def service_port(port: Port) -> int:
    """0 = Marathon chooses one when the app is made, and it is kept."""
    return 0 if port.published is None or is_fixed(port) else port.published


def _definition(port: Port) -> dict[str, Any]:
    number = port.published if is_fixed(port) else service_port(port)
    return {"name": port.name, "protocol": port.protocol.value, "port": number or 0}


def _mapping(port: Port, *, named: bool) -> dict[str, Any]:
    """On a container network of its own an instance has an address; a port of the host only where it is asked for."""
    mapping: dict[str, Any] = {
        "name": port.name,
        "protocol": port.protocol.value,
        "containerPort": port.port,
        "servicePort": service_port(port),
    }
    if not named or port.expose is Expose.HOST:
        mapping["hostPort"] = port.published if is_fixed(port) and port.published else 0
    return mapping


def _environment(service: Service) -> dict[str, Any]:
    refs = {k: {"secret": secret_alias(v)} for k, v in service.env.items() if isinstance(v, SecretRef)}
    return {**environment(service), **refs}


def secret_alias(ref: SecretRef) -> str:
    return f"{ref.name}.{ref.key}" if ref.key else ref.name


def _secrets(service: Service) -> dict[str, dict[str, str]]:
    refs = [v for v in service.env.values() if isinstance(v, SecretRef)]
    return {secret_alias(r): {"source": f"{r.name}/{r.key}" if r.key else r.name} for r in refs}


def _labels(service: Service, replicas: int) -> dict[str, str]:
    return {
        **service.labels,
        **_load_balancer_labels(service),
        **owner_labels(service.namespace, service.name),
        TEMPLATE: template_hash(service, "marathon"),
        INTENT: intent(service, replicas),
    }


def _load_balancer_labels(service: Service) -> Mapping[str, str]:
    """marathon-lb takes every port of an app in its group unless told otherwise."""
    outside = [p.expose in (Expose.CLUSTER, Expose.EXTERNAL) for p in service.ports]
    if not options_of(service).load_balancer or not any(outside):
        return {}
    group = "external" if any(p.expose is Expose.EXTERNAL for p in service.ports) else "internal"
    hidden = {f"HAPROXY_{n}_ENABLED": "false" for n, shown in enumerate(outside) if not shown}
    return {LOAD_BALANCER_GROUP: group, **hidden}


def _fetch(item: Mapping[str, Any]) -> dict[str, Any]:
    whole = {"extract": True, "executable": False, "cache": False, **item}
    target = whole.pop("dest_path", "")
    return whole | ({"destPath": target} if target else {})


def _unreachable(options: Options) -> Any:
    if options.unreachable == "disabled":
        return "disabled"
    given = options.unreachable if isinstance(options.unreachable, Mapping) else {}
    return {
        "inactiveAfterSeconds": given.get("inactive_after", 0),
        "expungeAfterSeconds": given.get("expunge_after", 0),
    }
