"""Would a node meet a service's constraints? Asked before an update, because the swarm holds them against
tasks that already run as well: constraints that no node meets stop the old instances before any new one starts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_CONSTRAINT = re.compile(r"\s*([^=!\s]+)\s*(==|!=)\s*(.*?)\s*")


def constraints_of(spec: Json) -> list[str]:
    return list((spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or ())


def none_meets(constraints: Sequence[str], nodes: Iterable[Json]) -> bool:
    """No node that is up and active meets all of them."""
    usable = [n for n in nodes if n["Status"]["State"] == "ready" and n["Spec"].get("Availability") == "active"]
    return bool(constraints) and not any(all(meets(c, node) for c in constraints) for node in usable)


def meets(constraint: str, node: Json) -> bool:
    """As the scheduler compares: without regard to case; a label that is absent differs from every value.

    A constraint of a kind not known here is taken for met: the scheduler has the last word.
    """
    match = _CONSTRAINT.fullmatch(constraint)
    if not match:
        return True
    key, sign, value = match.groups()
    found = _value(key, node)
    if found is None:
        return True
    same = _in_network(found, value) if key == "node.ip" else found.lower() == value.lower()
    return same is (sign == "==")


def _value(key: str, node: Json) -> str | None:
    """The node's own value, "" for a label it does not have, None for a key unknown here."""
    description = node.get("Description") or {}
    platform = description.get("Platform") or {}
    known = {
        "node.id": node.get("ID"),
        "node.hostname": description.get("Hostname"),
        "node.ip": (node.get("Status") or {}).get("Addr"),
        "node.role": node["Spec"].get("Role"),
        "node.platform.os": platform.get("OS"),
    }
    if key in known:
        return str(known[key] or "")
    for prefix, labels in (
        ("node.labels.", node["Spec"].get("Labels")),
        ("engine.labels.", (description.get("Engine") or {}).get("Labels")),
    ):
        if key.startswith(prefix):
            return str((labels or {}).get(key.removeprefix(prefix), ""))
    return None


def _in_network(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
