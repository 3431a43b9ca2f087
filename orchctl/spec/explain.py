"""Pydantic's complaints in the words of the spec, each at the place it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from orchctl.spec import models
from orchctl.spec.codes import Code
from orchctl.spec.nodes import SETTING, Mapping, Node, Origin, Scalar, Sequence, kind_of
from orchctl.spec.problems import Problems, did_you_mean, excerpt
from orchctl.spec.scalars import Float, Int, value_of

_OTHER_NAMES = {
    "cmd": "command", "entrypoint": "command", "environment": "env", "healthcheck": "health", "instances": "replicas",
    "count": "replicas", "depends_on": "needs", "deploy": "rollout", "strategy": "rollout", "configs": "files",
    "cpus": "cpu", "mem": "memory", "signal": "stop", "container": "port", "target": "port",
}  # fmt: skip
"""What neighbouring tools call a field, and what it is called here."""

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def explain(root: Mapping, detail: Any, problems: Problems) -> None:
    """Add the problem that one entry of ``ValidationError.errors()`` stands for."""
    kind, loc = detail["type"], detail["loc"]
    if kind == "missing":
        _, origin, steps = locate(root, loc[:-1])
        problems.add(Code.MISSING_FIELD, f"{dotted([*steps, loc[-1]])} is missing", origin)
    elif kind == "extra_forbidden":
        _unknown_field(root, loc, problems)
    elif loc[-1] == "[key]":
        parent, origin, steps = locate(root, loc[:-2])
        if isinstance(parent, Mapping):
            origin = parent.key_origin(str(loc[-2]))
        problems.add(Code.BAD_VALUE, f"{dotted(steps)}: {_sentence(detail)}", origin)
    else:
        _bad_value(root, detail, problems)


def locate(root: Node, path: Iterable[Any]) -> tuple[Node, Origin, list[Any]]:
    """The deepest node on ``path``, the best place to point at, and the steps that led there.

    Steps that the tree does not have are left out: pydantic names the branches of unions, too. The best place
    of a collection is its key, because the collection itself may start in the next line.
    """
    node, origin, steps = root, root.origin, list[Any]()
    for step in path:
        if isinstance(node, Mapping) and step in node.items:
            key = node.key_origin(step)
            node = node.items[step]
            origin = node.origin if isinstance(node, Scalar) else key
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            origin = node.origin
        else:
            continue
        steps.append(step)
    return node, origin, steps


def dotted(steps: Iterable[Any]) -> str:
    """``ports[0].name``, ``files[/etc/x].source``; ``the service`` for no steps."""
    text = ""
    for step in steps:
        if isinstance(step, int) or "/" in step or "." in step:
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text or "the service"


def hide(message: str, node: Node) -> str:
    """``message`` without a value that came from a variable or from the command line: it may be a secret."""
    if not isinstance(node, Scalar) or node.written is None or not node.text:
        return message
    message = message.replace(repr(node.text), repr(node.written))
    rest = message.replace(repr(node.written), "")
    is_told = any(word in rest for word in re.findall(r"\w{3,}", node.text))
    return f"the value of {node.written!r} is not allowed here" if is_told else message


def _bad_value(root: Mapping, detail: Any, problems: Problems) -> None:
    node, origin, steps = locate(root, detail["loc"])
    if problems.at(origin):
        return  # a number that cannot be read, reported already
    if wanted := _WANTED.get(detail["type"]):
        message = f"{dotted(steps)} must be {wanted}, not {_shown(node)}"
        problems.add(Code.WRONG_TYPE, message, origin, hint=_type_hint(wanted, node))
    else:
        message = f"{dotted(steps)}: {hide(_sentence(detail), node)}"
        problems.add(Code.BAD_VALUE, message, origin, hint=_value_hint(detail))


def _type_hint(wanted: str, node: Node) -> str:
    if wanted == "a mapping" and isinstance(node, Sequence):
        return "write KEY: VALUE instead of list entries"
    if node.origin.source.name == SETTING and wanted in ("a list", "a mapping"):
        return f"--set lays one value over a field, and {wanted} only a file can write"
    if not isinstance(node, Scalar):
        return ""
    if wanted == "text":
        return f'quote it: "{node.text if node.written is None else node.written}"'
    if wanted == "a whole number" and not node.plain:
        return "remove the quotes"
    return {"true or false": "only true and false are booleans, without quotes", "a list": 'write a list: ["..."]'}.get(
        wanted, ""
    )


def _shown(node: Node) -> str:
    if not isinstance(node, Scalar):
        return kind_of(node)
    value = value_of(node)
    text = node.text if node.written is None else node.written
    if isinstance(value, bool):
        return f"the boolean {text}"
    return f"the number {text}" if isinstance(value, Int | Float) else excerpt(text)


def _sentence(detail: Any) -> str:
    context, given = detail.get("ctx", {}), detail["input"]
    match detail["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"{excerpt(str(given))} is not one of {context['expected'].replace(chr(39), '')}"
        case "greater_than_equal":
            return f"{given} is too small; the least is {context['ge']}"
        case "less_than_equal":
            return f"{given} is too large; the most is {context['le']}"
        case "too_short":
            return "must not be empty"
        case "string_too_long":
            return f"is longer than {context['max_length']} characters"
        case "string_pattern_mismatch":
            return f"{excerpt(str(given))} is not allowed here"
    return str(detail["msg"])


def _value_hint(detail: Any) -> str:
    if detail["type"] != "literal_error":
        return ""
    expected = detail["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
    return did_you_mean(str(detail["input"]), expected.split(", "))


def _unknown_field(root: Mapping, loc: tuple[Any, ...], problems: Problems) -> None:
    parent, origin, steps = locate(root, loc[:-1])
    name = str(loc[-1])
    if isinstance(parent, Mapping):
        origin = parent.key_origin(name)
    known = _fields_at(loc[:-1])
    hint = did_you_mean(name, known)
    if not hint and _OTHER_NAMES.get(name) in known:
        hint = f"did you mean {_OTHER_NAMES[name]!r}?"
    where = f" in {dotted(steps)}" if steps else ""
    message = f"there is no field {excerpt(name)}{where}"
    problems.add(Code.UNKNOWN_FIELD, message, origin, hint=hint or f"known: {', '.join(known)}")


def _fields_at(loc: Iterable[Any]) -> list[str]:
    """The fields of the model that ``loc`` ends in, by the names users write."""
    model: type[BaseModel] = models.Service
    for step in loc:
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == step), None)
        if field is not None:
            model = _model_in(field.annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for arg in getattr(annotation, "__args__", ()) if (m := _model_in(arg))), None)
