"""A live ServiceSpec -> the document it stands for.

The label ``orchctl.dev/intent`` says what was asked for. Translated again it must give exactly the
live spec; what does not agree is drift, and is shown in the spec's words where there are any, else
under ``backends.swarm.native``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchctl.core.codec import from_plain
from orchctl.core.document import Document, document_of, put
from orchctl.core.service import Service
from orchctl.core.units import format_bytes, format_cpu, format_duration
from orchctl_swarm.container import NS_PER_MS
from orchctl_swarm.names import INTENT, NAME, NAMESPACE, PAUSED, REVISION, TEMPLATE
from orchctl_swarm.translate import service_spec

Path = tuple[str, ...]

# They change without the definition changing.
_UNSEEN_LABELS = (INTENT, REVISION, PAUSED)


def document(spec: Mapping[str, Any], network_names: Mapping[str, str]) -> Document:
    """``network_names``: name by ID, for the networks that ``spec`` refers to by ID."""
    service, digests, sized = read_intent(spec)
    result = document_of(service.sized(replicas_of(spec)))
    for name in (n for n, value in service.env.items() if value == ""):
        put(result, ("env", name), "")  # an empty variable says something, although documents leave out what is empty
    for path, digest in digests.items():
        result["files"][path]["content"] = digest
    wanted = canonical(service_spec(service.sized(sized), digests), {})
    wanted["Mode"] = {"Replicated": {"Replicas": replicas_of(spec)}}
    for leaf, value in _differences((), wanted, canonical(spec, network_names)):
        _show(result, leaf, value)
    return result


def read_intent(spec: Mapping[str, Any]) -> tuple[Service, dict[str, str], int]:
    """What the label says: service, content digests by path, count that percentages were taken of.

    A label that is gone or damaged reads as a service that asked for nothing, so that everything
    live shows as a difference.
    """
    labels = spec.get("Labels") or {}
    try:
        noted = json.loads(labels.get(INTENT, ""))
        service = from_plain(Service, noted["service"])
        return service, {str(k): str(v) for k, v in noted["files"].items() if k in service.files}, int(noted["sized"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Service(name=labels.get(NAME, ""), namespace=labels.get(NAMESPACE, "")), {}, 1


def replicas_of(spec: Mapping[str, Any]) -> int:
    """The count of a replicated service; 0 for the other modes, which orchctl does not make."""
    replicated = (spec.get("Mode") or {}).get("Replicated") or {}
    return int(replicated.get("Replicas") or 0)


def canonical(spec: Mapping[str, Any], network_names: Mapping[str, str]) -> dict[str, Any]:
    """Comparable form: lists with keys as mappings, IDs as names, engine defaults and empty values left out."""
    plain: dict[str, Any] = json.loads(json.dumps(spec))
    task = plain.get("TaskTemplate") or {}
    task.pop("ForceUpdate", None)
    task.pop("Runtime", None)
    container = task.get("ContainerSpec") or {}
    if container.get("Isolation") == "default":
        del container["Isolation"]
    # The hash covers file contents, which the intent does not hold; the engine compares it itself.
    container["Labels"] = _without(container.get("Labels") or {}, TEMPLATE)
    container["Env"] = dict(_pair(e) for e in container.get("Env") or ())
    container["Mounts"] = {m.get("Target", ""): m for m in container.get("Mounts") or ()}
    for kind, identity, name in (("Configs", "ConfigID", "ConfigName"), ("Secrets", "SecretID", "SecretName")):
        listed = container.get(kind) or ()
        container[kind] = {(r.get("File") or {}).get("Name", r.get(name, "")): _without(r, identity) for r in listed}
    networks = task.get("Networks") or ()
    task["Networks"] = {
        network_names.get(n["Target"], n["Target"]): _without(n, "Target") | {"Joined": True} for n in networks
    }
    endpoint = plain.get("EndpointSpec") or {}
    endpoint["Ports"] = {_port_key(p): p for p in endpoint.get("Ports") or ()}
    plain["Labels"] = {k: v for k, v in (plain.get("Labels") or {}).items() if k not in _UNSEEN_LABELS}
    replicas = replicas_of(spec)
    result: dict[str, Any] = _without_nothing(plain)
    if "Replicated" in (spec.get("Mode") or {}):
        result["Mode"] = {"Replicated": {"Replicas": replicas}}
    return result


def _pair(entry: str) -> tuple[str, str]:
    name, _, value = entry.partition("=")
    return name, value


def _port_key(port: Mapping[str, Any]) -> str:
    return str(port.get("Name") or f"{port.get('TargetPort')}/{port.get('Protocol')}")


def _without(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k != key}


_KEEP_EMPTY = "Env"  # an empty variable is not an absent one


def _without_nothing(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    cleaned = {k: v if k == _KEEP_EMPTY else _without_nothing(v) for k, v in value.items()}
    return {
        k: v for k, v in cleaned.items() if v is not None and v not in ("", [], {}) and not (v == 0 and v is not False)
    }


def _differences(path: Path, wanted: Any, found: Any) -> Iterator[tuple[Path, Any]]:
    """(path, live value) of every leaf that is not as translated; None = it is gone."""
    if isinstance(wanted, dict) or isinstance(found, dict):
        left = wanted if isinstance(wanted, dict) else {}
        right = found if isinstance(found, dict) else {}
        for key in sorted({*left, *right}):
            yield from _differences((*path, key), left.get(key), right.get(key))
    elif wanted != found:
        yield path, found


_CONTAINER = ("TaskTemplate", "ContainerSpec")
_WORDS: dict[Path, tuple[Path, Callable[[Any], Any]]] = {
    (*_CONTAINER, "Image"): (("image",), str),
    (*_CONTAINER, "Command"): (("command",), list),
    (*_CONTAINER, "Args"): (("args",), list),
    (*_CONTAINER, "Dir"): (("working_dir",), str),
    (*_CONTAINER, "User"): (("user",), str),
    (*_CONTAINER, "StopSignal"): (("stop", "signal"), str),
    (*_CONTAINER, "StopGracePeriod"): (("stop", "grace"), lambda ns: format_duration(ns // NS_PER_MS)),
    ("TaskTemplate", "Resources", "Reservations", "NanoCPUs"): (
        ("resources", "cpu"),
        lambda n: format_cpu(n // NS_PER_MS),
    ),
    ("TaskTemplate", "Resources", "Reservations", "MemoryBytes"): (("resources", "memory"), format_bytes),
    ("TaskTemplate", "Resources", "Limits", "NanoCPUs"): (
        ("resources", "limits", "cpu"),
        lambda n: format_cpu(n // NS_PER_MS),
    ),
    ("TaskTemplate", "Resources", "Limits", "MemoryBytes"): (("resources", "limits", "memory"), format_bytes),
}


def _show(result: Document, path: Path, value: Any) -> None:
    if path in _WORDS:
        words, convert = _WORDS[path]
        put(result, words, None if value is None else convert(value))
    elif path[:3] == (*_CONTAINER, "Env"):
        put(result, ("env", path[3]), value)
    elif path[0] == "Labels":
        put(result, ("labels", path[1]), value)
    else:
        put(result, ("backends", "swarm", "native", ".".join(path)), "(removed)" if value is None else value)
