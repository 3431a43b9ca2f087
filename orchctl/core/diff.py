"""Field diff of two documents, as a list of changes with paths in the spec's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from orchctl.core.plan import Change, Op

_PLAIN_SEGMENT = re.compile(r"[A-Za-z_][\w-]*")
_ORDERED = ("ports",)
"""Lists in the spec, mappings by name here. Their order says something: the first port is ``PORT``."""


def diff(before: Mapping[str, Any], after: Mapping[str, Any], *, restarts: Callable[[str], bool]) -> tuple[Change, ...]:
    """Changes that turn ``before`` into ``after``, ordered by path, orders last; empty when they are equal.

    ``restarts`` is the backend's answer to "does changing this path restart instances?". Mappings
    are compared key by key; lists and scalars as one value. Ports in another order are one change of ``ports``.
    """
    found = [*_changes("", before, after, restarts), *_moved(before, after, restarts)]
    return tuple(found)


def join(parent: str, segment: str) -> str:
    """``env`` + ``LOG`` -> ``env.LOG``; ``files`` + ``/etc/x`` -> ``files[/etc/x]``."""
    if not _PLAIN_SEGMENT.fullmatch(segment):
        return f"{parent}[{segment}]"
    return f"{parent}.{segment}" if parent else segment


def _changes(
    path: str, before: Mapping[str, Any], after: Mapping[str, Any], restarts: Callable[[str], bool]
) -> list[Change]:
    found: list[Change] = []
    for key in sorted({*before, *after}):
        here, old, new = join(path, key), before.get(key), after.get(key)
        if old == new:
            continue
        if _is_branch(old) and _is_branch(new):
            found += _changes(here, old or {}, new or {}, restarts)
        else:
            found.append(Change(path=here, op=_op(old, new), before=old, after=new, restarts=restarts(here)))
    return found


def _moved(before: Mapping[str, Any], after: Mapping[str, Any], restarts: Callable[[str], bool]) -> list[Change]:
    """Where the same names stand in another order; what is added or removed is a change by itself."""
    found = []
    for key in _ORDERED:
        old, new = list(before.get(key) or ()), list(after.get(key) or ())
        if old != new and {*old} == {*new}:
            found.append(Change(path=key, op=Op.UPDATE, before=old, after=new, restarts=restarts(key)))
    return found


def _is_branch(value: Any) -> bool:
    """An absent mapping is an empty one: what is added or removed is named field by field."""
    return value is None or isinstance(value, Mapping)


def _op(old: Any, new: Any) -> Op:
    if old is None:
        return Op.ADD
    return Op.REMOVE if new is None else Op.UPDATE
