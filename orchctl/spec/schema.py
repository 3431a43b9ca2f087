"""The JSON Schema of a spec file, for editors: ``orchctl schema`` prints it, specs/service.schema.json is a copy.

Draft 2020-12, and free of what draft 7 lacks, because the YAML language server reads that. The schema is
laxer than orchctl: an overlay may leave anything out, and wherever a value may stand, a variable may.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Mapping
from typing import Any, cast

from orchctl.spec import models

SCHEMA_ID = "https://orchctl.dev/schema/v1/service.schema.json"
_VARIABLE = {"type": "string", "pattern": r"\$[A-Za-z_{]"}


def schema() -> dict[str, Any]:
    """The schema of one spec document: a service, several, or an overlay."""
    generated = models.Service.model_json_schema(by_alias=True)
    definitions = generated.pop("$defs")
    service = {k: v for k, v in generated.items() if k in ("type", "properties", "additionalProperties")}
    definitions["Service"] = service
    texts = descriptions()
    for name, definition in definitions.items():
        _tidy(definition, texts[name])
    several = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Service"},
        "description": "Services by name.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "orchctl service spec",
        "description": "One service, several services, or an overlay for them.",
        "type": "object",
        "properties": {
            "apiVersion": {"const": models.API_VERSION, "description": "Version of this format."},
            "kind": {"const": "Service", "description": "The only kind of this version."},
            **service["properties"],
            "services": several,
        },
        "patternProperties": {"^x-": {"description": "Ignored: a place for anchors."}},
        "additionalProperties": False,
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as the published file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def descriptions() -> Mapping[str, Mapping[str, str]]:
    """The text under each field of ``models``, by class and by the name users write."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(models)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {}
            for field, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    found[node.name][field.target.id.rstrip("_")] = ast.literal_eval(cast(ast.Expr, text).value)
    return found


def _tidy(definition: dict[str, Any], texts: Mapping[str, str]) -> None:
    definition.pop("title", None)
    definition.pop("required", None)
    definition["properties"] = {
        name: {**_value(value), "description": texts[name]} for name, value in definition["properties"].items()
    }


def _value(value: dict[str, Any]) -> dict[str, Any]:
    """A field's schema without titles, defaults and null, and with room for a variable."""
    kept = {k: v for k, v in value.items() if k not in ("title", "default", "discriminator")}
    for word in ("anyOf", "oneOf"):
        if word in kept:
            branches = [_value(branch) for branch in kept.pop(word) if branch != {"type": "null"}]
            kept |= branches[0] if len(branches) == 1 else {"anyOf": branches}
    if "items" in kept:
        kept["items"] = _value(kept["items"])
    if isinstance(kept.get("additionalProperties"), dict):
        # In an overlay null removes an entry.
        kept["additionalProperties"] = {"anyOf": [_value(kept["additionalProperties"]), {"type": "null"}]}
    takes_any_text = kept.get("type") == "string" and not {"enum", "pattern"} & set(kept)
    is_leaf = "type" in kept and kept["type"] not in ("object", "array")
    if is_leaf and not takes_any_text and kept != _VARIABLE and "string" not in _plain_types(kept):
        return {"anyOf": [kept, _VARIABLE]}
    return kept


def _plain_types(value: dict[str, Any]) -> tuple[str, ...]:
    kind = value["type"]
    return tuple(kind) if isinstance(kind, list) else ()
