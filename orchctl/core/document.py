"""A service in the shape and the units of the spec: what plans compare and people read.

Adapters build the same shape from live objects (``normalise.py``), so that the diff speaks the
spec's language whatever the backend. Lists that have keys are mappings here (ports by name).
Absent means "not stated".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchctl.core.codec import canonical_json, to_plain
from orchctl.core.service import (
    DRAIN_WITH_PORTS_MS,
    File,
    Health,
    Port,
    Probe,
    ProbeKind,
    SecretRef,
    Service,
    Stop,
    Volume,
    VolumeKind,
)
from orchctl.core.units import format_bytes, format_cpu, format_duration

Document = dict[str, Any]

# What decides which instances run, but not what one instance is: changing these restarts nothing
# by itself. The rest of a service is its template (engine.md section 1).
NOT_TEMPLATE = (
    *("name", "namespace", "labels", "replicas", "scaling", "rollout"),
    *("needs", "provides", "allow", "register", "backends"),
)


def document_of(service: Service) -> Document:
    """The whole service as a nested mapping; values that hold their default are left out.

    Only in what the user names freely (env, labels, a backend's own options) an empty value says something: the name is
    there.
    """
    return _named_texts(service) | drop_empty(
        {
            "image": image_reference(service),
            "command": list(service.command),
            "args": list(service.args),
            "working_dir": service.working_dir,
            "user": service.user,
            "replicas": service.replicas,
            "scale": to_plain(service.scaling) if service.scaling else None,
            "ports": {p.name: port_document(p) for p in service.ports},
            "files": {path: file_document(f) for path, f in service.files.items()},
            "volumes": {path: volume_document(v) for path, v in service.volumes.items()},
            "resources": _resources_document(service),
            "health": health_document(service.health),
            "rollout": rollout_document(service),
            "restart": service.restart.value,
            "stop": stop_document(service.stop),
            "placement": to_plain(service.placement),
            "needs": dict(service.needs),
            "provides": dict(service.provides),
        }
    )


def _named_texts(service: Service) -> Document:
    env = {k: secret_document(v) if isinstance(v, SecretRef) else v for k, v in service.env.items()}
    named: Document = {"env": env, "labels": dict(service.labels), "backends": to_plain(service.backends)}
    return {k: v for k, v in named.items() if v}


def image_reference(service: Service) -> str | None:
    """``name:tag@digest`` when pinned, else the image as written."""
    if service.image and service.image_digest and "@" not in service.image:
        return f"{service.image}@{service.image_digest}"
    return service.image


def port_document(port: Port) -> Document:
    return {"port": port.port, "protocol": port.protocol.value, "expose": port.expose.value} | (
        {"published": port.published} if port.published is not None else {}
    )


def secret_document(ref: SecretRef) -> Document:
    name = f"{ref.source}:{ref.name}" if ref.source else ref.name
    return drop_empty({"secret": name, "key": ref.key, "version": ref.version})


def file_document(file: File) -> Document:
    if file.secret is not None:
        return {**secret_document(file.secret), "mode": file.mode}
    return {"content": content_digest(file.content or b""), "mode": file.mode}


def content_digest(content: bytes) -> str:
    """How a file's content stands in documents, names and hashes: first 16 hex of its SHA-256."""
    import hashlib

    return "sha256:" + hashlib.sha256(content).hexdigest()[:16]


def volume_document(volume: Volume) -> Document:
    size = format_bytes(volume.size_bytes) if volume.size_bytes else ""
    shape: Document = {"read_only": volume.read_only or None}
    if volume.kind is VolumeKind.TMPFS:
        return drop_empty(shape | {"tmpfs": size or "0"})
    if volume.kind is VolumeKind.HOST:
        return drop_empty(shape | {"host": volume.name})
    return drop_empty(shape | {"name": volume.name, "size": size})


def probe_document(probe: Probe) -> Document:
    what: Any = {
        ProbeKind.HTTP: {"path": probe.path, "port": probe.port},
        ProbeKind.TCP: {"port": probe.port},
        ProbeKind.GRPC: {"port": probe.port},
        ProbeKind.EXEC: {"command": list(probe.command)},
    }[probe.kind]
    return {
        probe.kind.value: what,
        "interval": format_duration(probe.interval_ms),
        "timeout": format_duration(probe.timeout_ms),
        "failures": probe.failures,
    }


def health_document(health: Health) -> Document:
    probes = {k: probe_document(p) for k, p in (("ready", health.ready), ("live", health.live)) if p}
    return probes | {"start": {"deadline": format_duration(health.start_deadline_ms)}} if probes else {}


def rollout_document(service: Service) -> Document:
    rollout = service.rollout
    return {
        "strategy": rollout.strategy.value,
        "max_surge": str(rollout.max_surge),
        "max_unavailable": str(rollout.max_unavailable),
        "min_ready": format_duration(rollout.min_ready_ms),
        "deadline": format_duration(rollout.deadline_ms),
        "on_failure": rollout.on_failure.value,
    }


def stop_document(stop: Stop) -> Document:
    return {"signal": stop.signal, "grace": format_duration(stop.grace_ms), "drain": format_duration(stop.drain_ms)}


def defaults_of(service: Service) -> Document:
    """Of ``document_of(service)`` what would stand there if nobody had written it. Which ports, files and checks a service has
    was written; how they are otherwise may not have been."""
    stop = Stop(drain_ms=DRAIN_WITH_PORTS_MS if service.ports else 0)
    defaults = document_of(Service(name=service.name, namespace=service.namespace, stop=stop))
    port = port_document(Port(name="", port=0))
    defaults["ports"] = {p.name: {k: port[k] for k in ("protocol", "expose")} for p in service.ports}
    defaults["files"] = {path: {"mode": File().mode} for path in service.files}
    ready, live = (p and Probe(kind=p.kind) for p in (service.health.ready, service.health.live))
    defaults["health"] = health_document(Health(ready=ready, live=live))
    return drop_empty(defaults)


def drop_empty(value: Document) -> Document:
    """Without the entries that say nothing (None, "", empty lists and mappings), at every depth."""
    result: Document = {}
    for key, item in value.items():
        kept = drop_empty(dict(item)) if isinstance(item, Mapping) else item
        if kept is not None and kept != "" and kept != {} and kept != []:
            result[key] = kept
    return result


def put(document: Document, path: Sequence[str], value: Any) -> None:
    """Set the entry at ``path``, or remove it when ``value`` is None."""
    target = document
    for key in path[:-1]:
        target = target.setdefault(key, {})
    if value is None:
        target.pop(path[-1], None)
    else:
        target[path[-1]] = value


def template_hash(service: Service, backend: str) -> str:
    """16 hex digits over everything that decides what one instance runs on ``backend``."""
    plain = {k: v for k, v in to_plain(service.on_backend()).items() if k not in NOT_TEMPLATE}
    if options := service.options(backend):
        plain["options"] = to_plain(options)
    return _digest(plain)


def spec_hash(service: Service) -> str:
    """16 hex digits over the whole resolved service."""
    return _digest(to_plain(service))


def _digest(plain: Any) -> str:
    import hashlib

    return hashlib.sha256(canonical_json(plain).encode("utf-8")).hexdigest()[:16]


def _resources_document(service: Service) -> Document:
    r = service.resources
    limits = {
        "cpu": None if r.cpu_limit_millis is None else format_cpu(r.cpu_limit_millis),
        "memory": None if r.memory_limit_bytes is None else format_bytes(r.memory_limit_bytes),
    }
    return {
        "cpu": None if r.cpu_millis is None else format_cpu(r.cpu_millis),
        "memory": None if r.memory_bytes is None else format_bytes(r.memory_bytes),
        "limits": limits,
    }
