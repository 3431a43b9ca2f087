"""The merged spec as YAML text, with the place that each value came from: ``render --resolved``."""

from __future__ import annotations

import json
import re

from orchctl.spec.models import API_VERSION
from orchctl.spec.nodes import Mapping, Node, Scalar, Sequence
from orchctl.spec.scalars import value_of
from orchctl.spec.source import SpecRequest, load_trees

_BARE = re.compile(r"(?:[A-Za-z_/]|[1-9][0-9]*[A-DF-Za-df-z%])(?:[-A-Za-z0-9_./]|:(?=[-A-Za-z0-9_./]))*")
_TAKEN = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))  # YAML 1.1 has all of them
_COLUMN = 44  # where the comments start, when the line is shorter


def resolved_documents(request: SpecRequest) -> dict[str, str]:
    """One YAML document per service, by name: after overlays, ``--set`` and substitution, before defaults.

    Reading the text again gives the same service. SpecError as ``load_services``.
    """
    return {name: document_text(tree) for name, tree in load_trees(request).items()}


def document_text(tree: Mapping) -> str:
    """``tree`` as a YAML document; comments name file and line."""
    lines = [f"apiVersion: {API_VERSION}"]
    _mapping(tree, "", lines)
    return "\n".join(lines) + "\n"


def _mapping(node: Mapping, indent: str, lines: list[str]) -> None:
    for key, value in node.items.items():
        _value(f"{indent}{_key(key)}:", value, indent + "  ", lines)


def _value(head: str, value: Node, indent: str, lines: list[str]) -> None:
    if isinstance(value, Scalar):
        lines.append(_with_origin(f"{head} {_scalar(value)}", value))
    elif not value.items:
        lines.append(_with_origin(f"{head} {'{}' if isinstance(value, Mapping) else '[]'}", value))
    elif isinstance(value, Mapping):
        lines.append(head)
        _mapping(value, indent, lines)
    else:
        lines.append(head)
        for item in value.items:
            _item(item, indent, lines)


def _item(item: Node, indent: str, lines: list[str]) -> None:
    """A list's entry; the first line of a collection stands behind the dash."""
    inner: list[str] = []
    if isinstance(item, Mapping) and item.items:
        _mapping(item, indent + "  ", inner)
        lines += [f"{indent}- {inner[0].lstrip()}", *inner[1:]]
    elif isinstance(item, Sequence) and item.items:
        lines.append(f"{indent}-")
        for nested in item.items:
            _item(nested, indent + "  ", lines)
    else:
        _value(f"{indent}-", item, indent + "  ", lines)


def _with_origin(text: str, node: Node) -> str:
    origin = node.origin
    return f"{text:<{_COLUMN}}  # {origin.source.name}:{origin.line}"


def _key(key: str) -> str:
    return key if _is_bare(key) else json.dumps(key, ensure_ascii=False)


def _scalar(node: Scalar) -> str:
    value = value_of(node)
    if value is None:
        return "null"
    return node.text if not isinstance(value, str) or _is_bare(value) else _quoted(value)


def _is_bare(text: str) -> bool:
    """Texts that every YAML reader takes for the same text without quotes."""
    return _BARE.fullmatch(text) is not None and text.lower() not in _TAKEN


def _quoted(text: str) -> str:
    # Nothing may be substituted a second time when the text is read again; $( is never substituted.
    return json.dumps(re.sub(r"\$(?!\()", "$$", text), ensure_ascii=False)
