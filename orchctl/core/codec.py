"""Frozen dataclasses to plain JSON values and back.

A field that holds its default is left out, so that a later version of orchctl can add a field
without changing the hash of what was written before it.
"""

from __future__ import annotations

import base64
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """JSON-able form of ``value``: dataclasses become dicts, bytes become base64 text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(v) for f in fields(value) if not _is_default(f, v := getattr(value, f.name))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    return value


def from_plain(cls: type[T], data: Any) -> T:
    """The dataclass ``cls`` from its plain form.

    Raises ValueError when the data does not fit: records come from a backend and are not trusted.
    Unknown keys are ignored, so that an older orchctl can read a newer record.
    """
    result: T = _decode(cls, data, cls.__name__)
    return result


def canonical_json(value: Any) -> str:
    """Deterministic JSON of a plain value: sorted keys, no spaces, real UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _is_default(f: Field[Any], value: Any) -> bool:
    if f.default is not MISSING:
        return bool(value == f.default)
    if f.default_factory is not MISSING:
        return bool(value == f.default_factory())
    return False


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _decode(kind: Any, data: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if kind is Any:
        return data
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(kind), data, where)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_decode(item, v, f"{where}[]") for v in _expect(data, (list, tuple), where))
    if origin is not None and issubclass(origin, Mapping):
        item = typing.get_args(kind)[1]
        return {str(k): _decode(item, v, f"{where}.{k}") for k, v in _expect(data, (dict,), where).items()}
    if origin is not None and issubclass(origin, Sequence):
        item = typing.get_args(kind)[0]
        return [_decode(item, v, f"{where}[]") for v in _expect(data, (list, tuple), where)]
    if is_dataclass(kind):
        return _decode_dataclass(kind, data, where)  # type: ignore[arg-type]
    return _decode_scalar(kind, data, where)


def _decode_union(options: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in options:
        return None
    for option in options:
        fits = isinstance(data, dict) if is_dataclass(option) else not isinstance(data, dict)
        if option is not type(None) and fits:
            return _decode(option, data, where)
    raise ValueError(f"{where}: unexpected {type(data).__name__}")


def _decode_dataclass(kind: type, data: Any, where: str) -> Any:
    given = _expect(data, (dict,), where)
    hints = _hints(kind)
    known = {f.name: f for f in fields(kind)}
    values = {n: _decode(hints[n], given[n], f"{where}.{n}") for n in known if n in given}
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None


def _decode_scalar(kind: Any, data: Any, where: str) -> Any:
    if kind is bytes:
        return base64.b64decode(_expect(data, (str,), where), validate=True)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if kind is float:
        return float(_expect(data, (int, float), where))
    if kind is int and isinstance(data, bool):
        raise ValueError(f"{where}: expected int, found bool")
    return _expect(data, (kind,), where)


def _expect(data: Any, kinds: tuple[type, ...], where: str) -> Any:
    if not isinstance(data, kinds):
        wanted = " or ".join(k.__name__ for k in kinds)
        raise ValueError(f"{where}: expected {wanted}, found {type(data).__name__}")
    return data
