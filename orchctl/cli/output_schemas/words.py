"""The words in which the schemas are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from orchctl.errors import EXIT_OK, Interrupted, OrchctlError

Schema = dict[str, Any]

_SIGNALS = {"minimum": 129, "maximum": 128 + 64}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these fields."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def nested(item: Schema, description: str = "") -> Schema:
    """A list of ``item``."""
    return _described({"type": "array", "items": item}, description)


def mapping(values: Schema, description: str) -> Schema:
    """An object whose keys are names."""
    return {"type": "object", "additionalProperties": values, "description": description}


def text(description: str) -> Schema:
    return {"type": "string", "description": description}


def count(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "description": description}


def flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def maybe(schema: Schema) -> Schema:
    """Or null."""
    return {**schema, "type": [schema["type"], "null"]}


def anything(description: str) -> Schema:
    return {"description": description}


def one_of(kind: type[Enum], description: str) -> Schema:
    """A value of the enumeration."""
    return {"type": "string", "enum": [member.value for member in kind], "description": description}


def exit_code(description: str, *, also_success: bool) -> Schema:
    """Of this command, or of one service's part in it; 128 + n for a signal."""
    codes = {kind.exit_code for kind in errors() if kind is not Interrupted} | ({EXIT_OK} if also_success else set())
    return {"type": "integer", "anyOf": [{"enum": sorted(codes)}, _SIGNALS], "description": description}


def errors(kind: type[OrchctlError] = OrchctlError) -> Iterator[type[OrchctlError]]:
    """Every class of orchctl.errors; others have the codes of these."""
    if kind.__module__ == OrchctlError.__module__:
        yield kind
        for sub in kind.__subclasses__():
            yield from errors(sub)


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema
