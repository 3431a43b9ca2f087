"""Objects in a form that can be compared: lists that the API merges by key become mappings. Pure.

The keys are those of the API's own schema (``x-kubernetes-list-map-keys``), which server-side apply goes by.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchctl_kubernetes.names import FIELD_MANAGER

Json = Mapping[str, Any]
Path = tuple[str, ...]

_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "env": (("name",),),
    "volumes": (("name",),),
    "volumeMounts": (("mountPath",),),
    "imagePullSecrets": (("name",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
}
_META = ("labels", "annotations")


def canonical(found: Json) -> dict[str, Any]:
    """``spec`` and what matters of ``metadata``; status, versions and identities are left out."""
    metadata = found.get("metadata") or {}
    kept = {key: dict(metadata[key]) for key in _META if metadata.get(key)}
    spec = _keyed(found.get("spec") or {})
    if found.get("kind") == "Service":
        spec["headless"] = spec.pop("clusterIP", None) == "None"
        spec.pop("clusterIPs", None)
    return ({"metadata": kept} if kept else {}) | {"spec": spec}


def _keyed(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {k: _keyed(v, k) for k, v in value.items()}
    if not isinstance(value, list | tuple):
        return value
    items = [_keyed(v) for v in value]
    for keys in _KEYS.get(name, ()):
        if items and all(isinstance(i, dict) and keys[0] in i for i in items):
            return {_key(i, keys): i for i in items}
    return items


def _key(item: Json, keys: Sequence[str]) -> str:
    """``TCP`` is what the API fills in for a protocol."""
    return "/".join(str(item.get(k) or ("TCP" if k == "protocol" else "")) for k in keys)


def leaves(value: Json, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(path, value) of everything that is no mapping; an empty mapping says nothing."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from leaves(item, (*path, key))
        else:
            yield (*path, key), item


def owned(live: Json) -> dict[str, Any]:
    """The part of ``live`` that our own apply has set, from its managedFields; empty where there is none."""
    entries = (live.get("metadata") or {}).get("managedFields") or ()
    fields = [e.get("fieldsV1") for e in entries if (e.get("manager"), e.get("operation")) == (FIELD_MANAGER, "Apply")]
    found = _part(live, fields[0]) if fields and isinstance(fields[0], Mapping) else {}
    return {"kind": live.get("kind"), **found} if isinstance(found, dict) else {}


def _part(value: Any, fields: Json) -> Any:
    """``fields`` is FieldsV1: ``f:NAME`` a field, ``k:{KEYS}`` an item by its keys, ``v:VALUE`` an item of a set, ``.``
    the thing itself."""
    inner = {path: sub for path, sub in fields.items() if path != "."}
    if not inner:
        return value if "." not in fields or not isinstance(value, dict | list) else type(value)()
    if isinstance(value, Mapping):
        return {p[2:]: _part(value[p[2:]], sub) for p, sub in inner.items() if p[2:] in value}
    if isinstance(value, list):
        return [part for path, sub in inner.items() for part in _items(value, path, sub)]
    return value


def _items(value: list[Any], path: str, fields: Json) -> Iterator[Any]:
    wanted = json.loads(path[2:])
    if path.startswith("v:"):
        yield from [wanted] if wanted in value else []
        return
    for item in value:
        if isinstance(item, Mapping) and all(item.get(k) == v for k, v in wanted.items()):
            yield wanted | _part(item, fields)
