"""Rows of Consul's catalog as an answer has them. Pure.

Whatever is at the other end may say anything; what is taken from here has the types that the rest relies on. TypeError,
LookupError or ValueError for what is no such row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]
Row = Callable[[Any], Json]


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    value.encode("utf-8")  # half a surrogate is JSON all right, and could be neither printed nor sent back
    return value


def number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(value)
    return value


def mapping(value: Any) -> Json:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def items(value: Any, row: Row) -> list[Json]:
    """Of a list; Consul writes null for an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(value)
    return [row(one) for one in value]


def texts_by_name(value: Any) -> dict[str, str]:
    """Metadata."""
    return {} if value is None else {key: text(one) for key, one in mapping(value).items()}


def check(value: Any) -> Json:
    """Of a listing of checks."""
    return _row(value, texts=("Node", "CheckID", "Notes", "ServiceID", "ServiceName"))


def node(value: Any) -> Json:
    found = _row(value, texts=("Node", "Address"), numbers=("ModifyIndex",))
    texts_by_name(found.get("Meta"))
    return found


def service(value: Any) -> Json:
    """Of a node's list."""
    found = _row(value, texts=("ID", "Service"))
    texts_by_name(found.get("Meta"))
    return found


def entry(value: Any) -> Json:
    """A service with its node and its checks."""
    found = mapping(value)
    _row(found["Node"], texts=("Node", "Address"))
    _listed(found["Service"])
    items(found["Checks"], _own_check)
    return found


def _listed(value: Any) -> None:
    found = _row(service(value), texts=("Address",), numbers=("Port", "ModifyIndex"))
    if not isinstance(tags := found["Tags"], list | None):
        raise TypeError(tags)
    for tag in tags or ():
        text(tag)
    if (weights := found["Weights"]) is not None:
        number(mapping(weights)["Passing"])


def _own_check(value: Any) -> Json:
    return _row(value, texts=("CheckID", "Status", "Notes"), numbers=("ModifyIndex",))


def _row(value: Any, *, texts: tuple[str, ...], numbers: tuple[str, ...] = ()) -> Json:
    found: Mapping[str, Any] = mapping(value)
    for key in texts:
        text(found[key])
    for key in numbers:
        number(found[key])
    return dict(found)
