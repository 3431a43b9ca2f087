"""Service -> ContainerSpec: what runs inside one task."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from orchctl.core.document import drop_empty, template_hash
from orchctl.core.environment import expand, port_environment
from orchctl.core.service import File, Probe, ProbeKind, SecretRef, Service, Volume, VolumeKind
from orchctl_swarm.names import TEMPLATE, config_name, owner_labels, secret_name, volume_name
from orchctl_swarm.options import options_of

NS_PER_MS = 1_000_000
_NUMERIC_USER = re.compile(r"(\d+)(?::(\d+))?")


def container_spec(service: Service, digests: Mapping[str, str]) -> dict[str, Any]:
    """The ContainerSpec; ``digests`` are the content digests by file path. IDs of configs and secrets are not known here."""
    variables = _environment(service)
    spec: dict[str, Any] = {
        "Image": image(service),
        "Labels": owner_labels(service.namespace, service.name) | {TEMPLATE: template_hash(service, "swarm")},
        "Command": expand(service.command, variables),
        "Args": expand(service.args, variables),
        "Env": [_literal(f"{k}={v}") for k, v in sorted(variables.items())],
        "Dir": service.working_dir,
        "User": service.user,
        "Healthcheck": healthcheck(service, variables),
        "StopSignal": service.stop.signal,
        "Mounts": [_mount(service, target, v) for target, v in sorted(service.volumes.items())],
        "Configs": [_config(service, p, digests[p]) for p in sorted(digests)],
        "Secrets": [_secret(service, p, f.secret, f) for p, f in sorted(service.files.items()) if f.secret],
    }
    return drop_empty(spec) | {
        "Init": options_of(service).init,
        "StopGracePeriod": service.stop.grace_ms * NS_PER_MS,
    }


def _literal(text: str) -> str:
    """The agent expands Go templates in variables and in both ends of mounts (swarmkit, template.ExpandContainerSpec); a spec
    means what it says, on every backend."""
    return text.replace("{{", '{{"{{"}}')


def image(service: Service) -> str:
    name = service.image or ""
    return f"{name}@{service.image_digest}" if service.image_digest and "@" not in name else name


def _environment(service: Service) -> dict[str, str]:
    given = {k: v for k, v in service.env.items() if isinstance(v, str)}
    return port_environment(service) | given


def probe_of(service: Service) -> Probe | None:
    """The one check that Swarm takes: readiness, else liveness."""
    return service.health.ready or service.health.live


def healthcheck(service: Service, variables: Mapping[str, str]) -> dict[str, Any] | None:
    """None when the spec has no probe: the image's own HEALTHCHECK then holds, if it has one.

    Failures before ``start.deadline`` do not count, as the engine's start period has it; the first
    success ends that time.
    """
    probe = probe_of(service)
    if probe is None:
        return None
    return {
        "Test": _test(service, probe, variables),
        "Interval": probe.interval_ms * NS_PER_MS,
        "Timeout": probe.timeout_ms * NS_PER_MS,
        "Retries": probe.failures,
        "StartPeriod": service.health.start_deadline_ms * NS_PER_MS,
    }


def _test(service: Service, probe: Probe, variables: Mapping[str, str]) -> list[str]:
    if own := options_of(service).health_command:
        return ["CMD-SHELL", own] if isinstance(own, str) else ["CMD", *own]
    if probe.kind is ProbeKind.EXEC:
        return ["CMD", *expand(probe.command, variables)]
    port = service.port(probe.port).port
    if probe.kind is ProbeKind.TCP:
        return ["CMD-SHELL", f"nc -z 127.0.0.1 {port} || exit 1"]
    # Plain wget without its own time-out: the engine's Timeout bounds it, and some builds of busybox crash on -T.
    url = shlex.quote(f"http://127.0.0.1:{port}{probe.path}")
    wget, curl = f"wget -q -O /dev/null {url}", f"curl -fsSL -o /dev/null {url}"
    return ["CMD-SHELL", f"if command -v wget >/dev/null; then {wget}; else {curl}; fi || exit 1"]


def _mount(service: Service, target: str, volume: Volume) -> dict[str, Any]:
    mount: dict[str, Any] = {"Target": _literal(target)}
    if volume.kind is VolumeKind.TMPFS:
        mount["Type"] = "tmpfs"
        if volume.size_bytes:
            mount["TmpfsOptions"] = {"SizeBytes": volume.size_bytes}
    elif volume.kind is VolumeKind.HOST:
        mount |= {"Type": "bind", "Source": _literal(volume.name)}
    else:
        mount |= {"Type": "volume", "Source": volume_name(service.namespace, volume.name)}
    return mount | ({"ReadOnly": True} if volume.read_only else {})


def _config(service: Service, path: str, digest: str) -> dict[str, Any]:
    return {"ConfigName": config_name(service, digest), "File": _file(service, path, service.files[path])}


def _secret(service: Service, path: str, ref: SecretRef, file: File) -> dict[str, Any]:
    return {"SecretName": secret_name(service, ref), "File": _file(service, path, file)}


def _file(service: Service, path: str, file: File) -> dict[str, Any]:
    """Owned by the service's user where that is a number, so that a mode of 0400 is of use to it."""
    match = _NUMERIC_USER.fullmatch(service.user)
    uid, gid = (match[1], match[2] or "0") if match else ("0", "0")
    return {"Name": path, "UID": uid, "GID": gid, "Mode": int(file.mode, 8)}
