"""Layers of a service laid over each other; every value keeps the place it came from.

Mappings merge, scalars replace, lists replace, except ``ports``, whose entries merge by their name.
``null`` removes. Merging is associative: (a + b) + c is a + (b + c), so that it does not matter which
layers are put together first. For that, a removal stays in the tree until ``without_removed``, and a
mapping that replaced another kind of value remembers that it does.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as Map

from orchctl.spec.codes import Code
from orchctl.spec.nodes import Mapping, Node, Scalar, Sequence
from orchctl.spec.problems import Problems
from orchctl.spec.scalars import NULLS, is_null

_KEYED = {"ports": "name"}
"""Lists whose entries have a key, by the field's name at the top of a service."""


def merge(under: Mapping, over: Mapping) -> Mapping:
    """One service with ``over`` laid over ``under``."""
    return _merge_mappings(under, over, _KEYED)


def _merge_mappings(under: Mapping, over: Mapping, keyed: Map[str, str] = {}) -> Mapping:
    items, keys = dict(under.items), dict(under.keys)
    for name, value in over.items.items():
        items[name] = _merge(items[name], value, keyed.get(name, "")) if name in items else value
        if name not in keys or items[name].source is not under.items[name].source:
            keys[name] = over.keys[name]
    return Mapping(items, keys, under.origin, replaces=under.replaces)


def without_removed(node: Mapping, path: tuple[str, ...] = ()) -> Mapping:
    """Without the entries whose value is null, at every depth, except below ``backends.NAME.patch``.

    There null is a value: a JSON merge patch removes with it.
    """
    items: dict[str, Node] = {}
    for name, value in node.items.items():
        here = (*path, name)
        if is_patch(here):
            items[name] = value
        elif not is_null(value):
            items[name] = _cleaned(value, here)
    return Mapping(items, {k: node.keys[k] for k in items}, node.origin)


def without(node: Mapping, names: Collection[str]) -> Mapping:
    """``node`` without some of its entries."""
    items = {k: v for k, v in node.items.items() if k not in names}
    return Mapping(items, {k: node.keys[k] for k in items}, node.origin, replaces=node.replaces)


def is_patch(path: tuple[str, ...]) -> bool:
    return len(path) == 3 and path[0] == "backends" and path[2] == "patch"


def report_nulls(node: Mapping | Sequence, problems: Problems, path: tuple[str, ...] = ()) -> None:
    """Add a problem for every null outside a patch."""
    entries = node.items.items() if isinstance(node, Mapping) else (("[]", item) for item in node.items)
    for name, value in entries:
        if not isinstance(value, Scalar):
            if not is_patch((*path, name)):
                report_nulls(value, problems, (*path, name))
        elif value.plain and value.text in NULLS:
            hint = 'remove the line, or write "" for an empty text'
            problems.add(Code.NO_VALUE, f"{'.'.join((*path, name))} has no value", value.origin, hint=hint)


def _cleaned(value: Node, path: tuple[str, ...]) -> Node:
    if isinstance(value, Mapping):
        return without_removed(value, path)
    if isinstance(value, Sequence):
        return Sequence([_cleaned(item, (*path, "[]")) for item in value.items], value.origin)
    return value


def _merge(under: Node, over: Node, key: str = "") -> Node:
    if isinstance(over, Mapping) and not over.replaces:
        return _merge_mappings(under, over) if isinstance(under, Mapping) else _replacing(over)
    if isinstance(over, Sequence) and not over.replaces and key:
        return _merge_keyed(under, over, key)
    return over


def _replacing(over: Mapping) -> Mapping:
    return Mapping(over.items, over.keys, over.origin, replaces=True)


def _merge_keyed(under: Node, over: Sequence, key: str) -> Node:
    old, new = _by_key(under, key), _by_key(over, key)
    if old is None or new is None:
        # Not (all) named: the list replaces, as other lists do, and validation names the entry.
        return Sequence(over.items, over.origin, replaces=True)
    merged = dict(old)
    for name, entry in new.items():
        merged[name] = _merge_mappings(old[name], without(entry, (key,))) if name in old else entry
    return Sequence(list(merged.values()), over.origin, replaces=isinstance(under, Sequence) and under.replaces)


def _by_key(node: Node, key: str) -> dict[str, Mapping] | None:
    if not isinstance(node, Sequence):
        return None
    found: dict[str, Mapping] = {}
    for item in node.items:
        name = item.items.get(key) if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or not isinstance(name, Scalar) or name.text in found:
            return None
        found[name.text] = item
    return found
