"""The part of a Kubernetes object that one field manager applied, from its managedFields."""

from __future__ import annotations

import json
from typing import Any


def applied_by(manager: str, live: dict[str, Any]) -> dict[str, Any] | None:
    """A manifest that, applied again by ``manager``, changes nothing; None when it never applied."""
    entries = live["metadata"].get("managedFields", [])
    fields = [e["fieldsV1"] for e in entries if e["manager"] == manager and e["operation"] == "Apply"]
    if not fields:
        return None
    body: dict[str, Any] = _part(live, fields[0])
    metadata = {key: live["metadata"][key] for key in ("name", "namespace")}
    kind = {key: live[key] for key in ("apiVersion", "kind")}
    return body | kind | {"metadata": body.get("metadata", {}) | metadata}


def _part(value: Any, fields: dict[str, Any]) -> Any:
    """``fields`` is FieldsV1: ``f:NAME`` a field, ``k:{KEYS}`` an item by its keys, ``v:VALUE`` an item of a set."""
    inner = {path: sub for path, sub in fields.items() if path != "."}
    if not inner:
        return type(value)() if "." in fields and isinstance(value, dict | list) else value
    if isinstance(value, dict):
        return {p[2:]: _part(value[p[2:]], sub) for p, sub in inner.items() if p[2:] in value}
    found = []
    for path, sub in inner.items():
        wanted = json.loads(path[2:])
        if path.startswith("v:"):
            found += [wanted]
            continue
        items = [i for i in value if all(i.get(k) == v for k, v in wanted.items())]
        found += [wanted | _part(i, sub) for i in items]
    return found
