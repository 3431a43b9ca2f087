"""Placement -> Marathon's constraints. Pure.

Values are compared whole: LIKE and UNLIKE take regular expressions that must match all of an attribute. An agent without
the attribute is refused by every operator but UNLIKE.
"""

from __future__ import annotations

import re

from orchctl.core.service import Operator, Requirement, Service
from orchctl_marathon.options import options_of

HOST = "@hostname"
_HOST_KEYS = ("hostname", "node.hostname", "kubernetes.io/hostname", HOST)


def field_of(key: str) -> str:
    """The agent's own name, or one of its attributes."""
    return HOST if key in _HOST_KEYS else key


def constraints(service: Service) -> list[list[str]]:
    placement = service.placement
    found = [_requirement(r) for r in placement.require]
    found += [_spread(field_of(key), options_of(service).groups.get(key)) for key in placement.spread]
    if placement.max_per_node is not None:
        found.append([HOST, "MAX_PER", str(placement.max_per_node)])
    return found


def _requirement(requirement: Requirement) -> list[str]:
    field, op = field_of(requirement.key), requirement.op
    if op is Operator.EXISTS:
        return [field, "LIKE", ".*"]
    if op is Operator.NOT_EXISTS:
        return [field, "UNLIKE", ".*"]
    return [field, "LIKE" if op is Operator.IN else "UNLIKE", _any_of(requirement.values)]


def _any_of(values: tuple[str, ...]) -> str:
    escaped = [re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _spread(field: str, groups: int | None) -> list[str]:
    return [field, "GROUP_BY", str(groups)] if groups else [field, "GROUP_BY"]
