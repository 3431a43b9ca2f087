"""Field by field: what the spec has, and what each backend makes of it. specs/fields.md is a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from orchctl.core.capability import Claim, Feature, Support
from orchctl.spec import models
from orchctl.spec.schema import descriptions

F = Feature

FEATURES: Mapping[str, tuple[Feature, ...]] = {
    "image": (F.IMAGE, F.PROCESS),
    "command": (F.COMMAND,),
    "args": (F.ARGS,),
    "working_dir": (F.WORKING_DIR,),
    "user": (F.USER,),
    "labels.*": (F.LABELS,),
    "scale.min": (F.AUTOSCALE,),
    "scale.max": (F.AUTOSCALE,),
    "scale.cpu": (F.AUTOSCALE_CPU,),
    "ports[].protocol": (F.PORT_UDP, F.PORT_SCTP),
    "ports[].expose": (F.PORT_INTERNAL, F.PORT_HOST, F.PORT_CLUSTER, F.PORT_EXTERNAL),
    "ports[].published": (F.PORT_PUBLISHED,),
    "env.*": (F.ENV,),
    "env.*.secret": (F.ENV_SECRET, F.SECRET_STORE, F.SECRET_PROVIDER),
    "env.*.key": (F.SECRET_STORE,),
    "files.*.source": (F.FILE_CONTENT,),
    "files.*.content": (F.FILE_CONTENT,),
    "files.*.secret": (F.FILE_SECRET, F.SECRET_STORE, F.SECRET_PROVIDER),
    "files.*.key": (F.SECRET_STORE,),
    "files.*.mode": (F.FILE_MODE,),
    "volumes.*.name": (F.VOLUME_NAMED,),
    "volumes.*.size": (F.VOLUME_SIZE,),
    "volumes.*.tmpfs": (F.VOLUME_TMPFS,),
    "volumes.*.host": (F.VOLUME_HOST,),
    "volumes.*.read_only": (F.VOLUME_NAMED, F.VOLUME_TMPFS, F.VOLUME_HOST),
    "resources.cpu": (F.RESOURCES_CPU,),
    "resources.memory": (F.RESOURCES_MEMORY,),
    "resources.limits.cpu": (F.LIMITS_CPU,),
    "resources.limits.memory": (F.LIMITS_MEMORY,),
    "rollout.strategy": (F.ROLLOUT_RECREATE,),
    "rollout.max_surge": (F.ROLLOUT_SURGE, F.ROLLOUT_BOTH),
    "rollout.max_unavailable": (F.ROLLOUT_UNAVAILABLE, F.ROLLOUT_BOTH),
    "rollout.on_failure": (F.ROLLOUT_PAUSE, F.ROLLOUT_UNDO),
    "restart": (F.RESTART_ON_FAILURE, F.RESTART_NEVER),
    "stop.signal": (F.STOP_SIGNAL,),
    "stop.grace": (F.STOP_GRACE,),
    "stop.drain": (F.STOP_DRAIN,),
    "placement.require[].key": (F.PLACEMENT_IN, F.PLACEMENT_NOT_IN, F.PLACEMENT_EXISTS),
    "placement.require[].in": (F.PLACEMENT_IN, F.PLACEMENT_IN_SEVERAL),
    "placement.require[].not_in": (F.PLACEMENT_NOT_IN,),
    "placement.require[].exists": (F.PLACEMENT_EXISTS,),
    "placement.spread": (F.PLACEMENT_SPREAD,),
    "placement.max_per_node": (F.PLACEMENT_MAX_PER_NODE,),
}
"""Which features a leaf can ask for. Leaves that are not here are orchctl's own and mean the same on every backend."""

_PROBES = {"ready": (F.HEALTH_READY, F.HEALTH_BOTH), "live": (F.HEALTH_LIVE, F.HEALTH_BOTH)}
_KINDS = {"http": F.HEALTH_HTTP, "tcp": F.HEALTH_TCP, "exec": F.HEALTH_EXEC, "grpc": F.HEALTH_GRPC}


def leaves() -> Iterator[tuple[str, str]]:
    """Every leaf of the spec with its description. ``[]`` is a list's entry, ``*`` a key that the user chooses."""
    yield from _leaves(models.Service, "", descriptions())


def features_of(path: str) -> tuple[Feature, ...]:
    """What the leaf at ``path`` may ask of a backend; empty when orchctl does it alone."""
    parts = path.split(".")
    if parts[0] == "health" and parts[1] in _PROBES:
        kind = _KINDS.get(parts[2]) if len(parts) > 3 else None
        return (kind, *_PROBES[parts[1]]) if kind else _PROBES[parts[1]]
    return FEATURES.get(path, ())


def fields_markdown(claims_by_backend: Mapping[str, Mapping[Feature, Claim]]) -> str:
    """The table of all fields, one line each, with a column per backend, and below it the reasons."""
    names = sorted(claims_by_backend)
    lines = [
        "# The fields of a service spec",
        "",
        "Generated from the models and from what each backend claims. `[]` is an entry of a list, `*` a key of your choice.",
        "*native*: the backend does it. *emulated*: sent differently, with the same meaning. *warned*: approximated or not",
        "enforced; the plan says so. *not yet*, *unsupported*: refused before anything is sent. *orchctl*: done by orchctl itself.",
        "",
        f"| field | meaning | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for path, text in leaves():
        words = [support_words(features_of(path), claims_by_backend[name]) for name in names]
        lines.append(f"| `{path}` | {text.replace('|', chr(92) + '|')} | {' | '.join(words)} |")
    for name in names:
        lines += ["", f"## Why not native on {name}", ""]
        lines += [f"- `{feature}`, {told}" for feature, told in reasons(claims_by_backend[name])]
    return "\n".join(lines) + "\n"


def reasons(claims: Mapping[Feature, Claim]) -> Iterator[tuple[str, str]]:
    """Each feature that is not native, with ``unsupported: why``."""
    for feature, claim in claims.items():
        if claim.support is not Support.NATIVE:
            yield feature.value, f"{_word(claim)}: {claim.reason}"


def support_words(features: tuple[Feature, ...], claims: Mapping[Feature, Claim]) -> str:
    """``native``, or ``udp: native, sctp: unsupported`` where a leaf asks for several features."""
    if not features:
        return "orchctl"
    words = {feature: _word(claims[feature]) for feature in features}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{feature.value.rpartition('.')[2]}: {word}" for feature, word in words.items())


def _word(claim: Claim) -> str:
    return claim.support.value.replace("_", " ")


def _leaves(model: type[BaseModel], path: str, texts: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for field_name, field in model.model_fields.items():
        name = field.alias or field_name
        here = f"{path}.{name}" if path else name
        inner, step = _inner(field.annotation)
        if inner is None or inner in (models.Secret, models.Register):
            yield here + step, texts[model.__name__][name]
        if inner is not None:
            yield from _leaves(inner, here + step, texts)


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model inside a field's type, and what its path adds: ``[]`` for lists, ``.*`` for mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, args = getattr(annotation, "__origin__", None), getattr(annotation, "__args__", ())
    found = next((model for arg in args if (model := _inner(arg)[0])), None)
    if origin is tuple:
        return found, "[]" if found else ""
    return found, ".*" if origin is dict else ""
