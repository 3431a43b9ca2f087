"""Models to the trusted service that the rest of orchctl works with.

Only what was stated is handed over, so that the defaults are those of ``core.service``; the one default
that depends on another field (``stop.drain``) is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchctl.core import service as core
from orchctl.spec import models
from orchctl.spec.fieldtypes import PROVIDERS


def lower(spec: models.Service, namespace: str, contents: Mapping[str, bytes]) -> core.Service:
    """``spec`` as core.Service. ``contents`` has the bytes of ``files.*.source`` by the path in the instance."""
    return core.Service(
        name=spec.name,
        namespace=spec.namespace or namespace,
        image=spec.image,
        command=spec.command,
        args=spec.args,
        working_dir=spec.working_dir or "",
        user=spec.user or "",
        labels=dict(spec.labels),
        replicas=spec.replicas,
        scaling=_scaling(spec.scale),
        ports=tuple(_port(port) for port in spec.ports),
        env={k: _secret(v.secret, v.key) if isinstance(v, models.Secret) else v for k, v in spec.env.items()},
        files={path: _file(file, contents.get(path)) for path, file in spec.files.items()},
        volumes={path: _volume(volume) for path, volume in spec.volumes.items()},
        resources=_resources(spec.resources),
        health=_health(spec.health),
        rollout=_rollout(spec.rollout),
        stop=_stop(spec.stop, has_ports=bool(spec.ports)),
        placement=_placement(spec.placement),
        needs=dict(spec.needs),
        provides=dict(spec.provides),
        allow=None if spec.allow is None else tuple(sorted(spec.allow)),
        register=_registration(spec.register_),
        backends={name: _json(options) for name, options in spec.backends.items()},
        **_stated(restart=core.Restart(spec.restart) if spec.restart else None),
    )


def _stated(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _scaling(scale: models.Scale | None) -> core.Scaling | None:
    return None if scale is None else core.Scaling(min=scale.min, max=scale.max, cpu_percent=scale.cpu)


def _port(port: models.Port) -> core.Port:
    return core.Port(
        name=port.name,
        port=port.port,
        published=port.published,
        **_stated(
            protocol=core.Protocol(port.protocol) if port.protocol else None,
            expose=core.Expose(port.expose) if port.expose else None,
        ),
    )


def _secret(text: str, key: str) -> core.SecretRef:
    source, colon, rest = text.partition(":")
    if colon and source in PROVIDERS:
        return core.SecretRef(rest, source=source)
    return core.SecretRef(text, key)


def _file(file: models.File, source: bytes | None) -> core.File:
    mode = _stated(mode=file.mode)
    if file.secret is not None:
        return core.File(secret=_secret(file.secret, file.key), **mode)
    return core.File(content=(file.content or "").encode() if source is None else source, **mode)


def _volume(volume: models.Volume) -> core.Volume:
    if volume.tmpfs is not None:
        return core.Volume(kind=core.VolumeKind.TMPFS, size_bytes=volume.tmpfs, read_only=volume.read_only)
    if volume.host is not None:
        return core.Volume(kind=core.VolumeKind.HOST, name=volume.host, read_only=volume.read_only)
    named = core.Volume(kind=core.VolumeKind.NAMED, name=volume.name or "", read_only=volume.read_only)
    return named if volume.size is None else replace(named, size_bytes=volume.size)


def _resources(resources: models.Resources | None) -> core.Resources:
    if resources is None:
        return core.Resources()
    limits = resources.limits
    return core.Resources(
        cpu_millis=resources.cpu,
        memory_bytes=resources.memory,
        cpu_limit_millis=limits.cpu if limits else None,
        memory_limit_bytes=limits.memory if limits else None,
    )


def _probe(probe: models.Probe) -> core.Probe:
    timing = _stated(interval_ms=probe.interval, timeout_ms=probe.timeout, failures=probe.failures)
    if probe.http:
        return core.Probe(kind=core.ProbeKind.HTTP, path=probe.http.path, port=probe.http.port, **timing)
    if probe.exec:
        return core.Probe(kind=core.ProbeKind.EXEC, command=probe.exec.command, **timing)
    kind, target = (core.ProbeKind.TCP, probe.tcp) if probe.tcp else (core.ProbeKind.GRPC, probe.grpc)
    assert target is not None, "checks: exactly one kind of probe"
    return core.Probe(kind=kind, port=target.port, **timing)


def _health(health: models.Health | None) -> core.Health:
    if health is None:
        return core.Health()
    return core.Health(
        ready=_probe(health.ready) if health.ready else None,
        live=_probe(health.live) if health.live else None,
        **_stated(start_deadline_ms=health.start.deadline if health.start else None),
    )


def _amount(amount: int | str | None) -> core.Amount | None:
    if isinstance(amount, str):
        return core.Amount(int(amount.removesuffix("%")), percent=True)
    return None if amount is None else core.Amount(amount)


def _rollout(rollout: models.Rollout | None) -> core.Rollout:
    if rollout is None:
        return core.Rollout()
    return core.Rollout(
        **_stated(
            strategy=core.Strategy(rollout.strategy) if rollout.strategy else None,
            max_surge=_amount(rollout.max_surge),
            max_unavailable=_amount(rollout.max_unavailable),
            min_ready_ms=rollout.min_ready,
            deadline_ms=rollout.deadline,
            on_failure=core.OnFailure(rollout.on_failure) if rollout.on_failure else None,
        )
    )


def _stop(stop: models.Stop | None, *, has_ports: bool) -> core.Stop:
    stop = stop or models.Stop()
    drain_ms = stop.drain if stop.drain is not None else core.DRAIN_WITH_PORTS_MS if has_ports else 0
    return core.Stop(drain_ms=drain_ms, **_stated(signal=stop.signal, grace_ms=stop.grace))


def _placement(placement: models.Placement | None) -> core.Placement:
    if placement is None:
        return core.Placement()
    return core.Placement(
        require=tuple(_requirement(rule) for rule in placement.require),
        spread=placement.spread,
        max_per_node=placement.max_per_node,
    )


def _requirement(rule: models.Requirement) -> core.Requirement:
    if rule.exists is not None:
        return core.Requirement(key=rule.key, op=core.Operator.EXISTS if rule.exists else core.Operator.NOT_EXISTS)
    if rule.not_in is not None:
        return core.Requirement(key=rule.key, op=core.Operator.NOT_IN, values=rule.not_in)
    return core.Requirement(key=rule.key, op=core.Operator.IN, values=rule.in_ or ())


def _registration(register: models.Register | bool | None) -> core.Registration | None:
    if register is None or isinstance(register, bool):
        return None if register is None else core.Registration(enabled=register)
    return core.Registration(
        name=register.name or "",
        tags=register.tags,
        address=core.Address(register.address) if register.address else None,
        shared=register.shared,
    )


def _json(value: Any) -> Any:
    """Backend options as plain JSON values; numbers lose the text they were written as."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return int(value) if isinstance(value, int) else float(value)
