"""Answers in which one value is another one: of any type, or missing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

GONE = object()
VALUES: tuple[Any, ...] = (None, -7, "text", ["item"], {"key": {"inner": []}})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside ``value``, itself included."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """``value`` with ``to`` at that place, or with nothing there; GONE as a whole is null."""
    if not path:
        return None if to is GONE else to
    result = copy.deepcopy(value)
    at = result
    for key in path[:-1]:
        at = at[key]
    if to is GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return result
