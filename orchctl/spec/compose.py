"""YAML text to nodes, from the events of PyYAML's C parser.

The parser delivers events without recursion and without building values, so every limit holds before
anything grows. The C loader itself is not used: it crashes the process on 40 000 nested brackets, keeps the
last of two equal keys and reads ``1.10`` as 1.1 (PyYAML 6.0.3, measured 2026-11).

Merge keys (``<<``) are supported, because people share blocks with them; what they copy counts
against the same budget as aliases. A text without anchors has no such budget: only its size counts.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from orchctl.errors import SpecError
from orchctl.spec.codes import Code
from orchctl.spec.nodes import Mapping, Node, Origin, Scalar, Sequence, Source, kind_of
from orchctl.spec.problems import Problems, excerpt, reject, spec_error

MAX_DEPTH = 64
MAX_ALIAS_NODES = 1_000

# C0 except tab and line breaks, DEL, C1; line and direction marks that hide what a line says; surrogates, non-characters.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

# The parser of PyYAML 6.0.4 (libyaml 0.2.6) looks up to 1 024 characters ahead for the end of a key and stops at
# 1 000 brackets by itself, before it delivers the 65th. Those of 6.0.2 and 6.0.3 deliver it.
_TOO_DEEP = "exceeded maximum nesting depth"

_YAML = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_YAML + kind for kind in ("int", "float", "bool", "null")}
_SCALAR_TAGS = _PLAIN_TAGS | {_YAML + "str", "!"}


def compose(text: str, source: Source, problems: Problems) -> Node | None:
    """The root of the only document in ``text``, None when there is none. Adds to ``problems`` and raises nothing."""
    composer = _Composer(source, problems)
    try:
        composer.read(text)
    except yaml.YAMLError as error:
        if _TOO_DEEP in (getattr(error, "problem", None) or ""):
            problems.take(_too_deep(error, text, source))
        else:
            _explain(error, source, problems)
    except SpecError as error:
        problems.take(error)
    return composer.root


_Key = tuple[str, int, int, bool]
"""Text, line, column, plain. Keys are half of a spec's scalars, so they are no nodes."""


class _Frame:
    """A collection that is still open. ``key`` is the key whose value comes next, None when a key comes next.

    ``size`` counts nodes with aliases written out.
    """

    __slots__ = ("anchor", "is_mapping", "key", "merges", "node", "size")

    def __init__(self, node: Mapping | Sequence, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.size = 1
        self.is_mapping = type(node) is Mapping
        self.key: _Key | None = None
        self.merges: list[tuple[Node, Origin]] = []

    @property
    def expects_key(self) -> bool:
        return self.is_mapping and self.key is None


class _Composer:
    """Builds nodes with a stack of its own."""

    def __init__(self, source: Source, problems: Problems) -> None:
        self.root: Node | None = None
        self._source = source
        self._problems = problems
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._budget = MAX_ALIAS_NODES

    def read(self, text: str) -> None:
        next_event = getattr(yaml, "CLoader", yaml.Loader)(text).get_event
        documents = 0
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self._open(event, kind is MappingStartEvent)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    hint = "describe several services under services:, or use several files"
                    message = "a second document starts here; a spec file holds one"
                    reject(Code.DOCUMENTS, message, self._origin(event), hint=hint)
            elif kind is StreamEndEvent:
                return

    def _origin(self, event: Any) -> Origin:
        mark = event.start_mark
        return Origin(self._source, mark.line + 1, mark.column + 1)

    def _scalar(self, event: Any) -> None:
        mark, text, plain, tag = event.start_mark, event.value, event.implicit[0], event.tag
        if tag is not None and not plain:
            if tag not in _SCALAR_TAGS:
                self._refuse_tag(tag, self._origin(event))
            plain = tag in _PLAIN_TAGS
        if not text.isprintable() and (match := CONTROL.search(text)):
            message = f"the value holds the control or invisible character U+{ord(match[0]):04X}"
            hint = "remove the escape; binary content belongs into a file named with source:"
            self._problems.add(Code.CONTROL, message, self._origin(event), hint=hint)
        frame = self._stack[-1] if self._stack else None
        if frame is None or not frame.is_mapping or frame.key is not None:
            self._place(Scalar(text, self._source, mark.line + 1, mark.column + 1, plain), 1, event.anchor)
            return
        frame.key = (text, mark.line + 1, mark.column + 1, plain)
        frame.size += 1
        if event.anchor:
            self._anchors[event.anchor] = (Scalar(text, self._source, *frame.key[1:]), 1)

    def _open(self, event: Any, is_mapping: bool) -> None:
        if len(self._stack) >= MAX_DEPTH:
            reject(Code.TOO_DEEP, f"values are nested more than {MAX_DEPTH} deep", self._origin(event))
        tag = event.tag
        if tag is not None and tag not in ("!", _YAML + ("map" if is_mapping else "seq")):
            self._refuse_tag(tag, self._origin(event))
        if self._stack and self._stack[-1].expects_key:
            hint = "quote it if it starts with [ or {"
            reject(Code.KEY, "a key must be a simple text", self._origin(event), hint=hint)
        mark = event.start_mark
        place = (self._source, mark.line + 1, mark.column + 1)
        node: Mapping | Sequence = Mapping({}, {}, place) if is_mapping else Sequence([], place)
        self._stack.append(_Frame(node, event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.merges:
            self._merge(frame)
        self._place(frame.node, frame.size, frame.anchor)

    def _alias(self, event: Any) -> None:
        origin = self._origin(event)
        if any(frame.anchor == event.anchor for frame in self._stack):
            reject(Code.ALIASES, f"*{event.anchor} stands inside the value it names", origin)
        if event.anchor not in self._anchors:
            reject(Code.SYNTAX, f"no anchor &{event.anchor} stands before this alias", origin)
        if self._stack[-1].expects_key:
            reject(Code.KEY, "an alias cannot be a key", origin)
        node, size = self._anchors[event.anchor]
        self._spend(size, origin)
        self._place(node, size, None)

    def _spend(self, size: int, origin: Origin) -> None:
        self._budget -= size
        if self._budget < 0:
            message = f"aliases and merge keys stand for more than {MAX_ALIAS_NODES} nodes"
            hint = "write the values out, or split the file; the file's plain size is not the problem"
            reject(Code.ALIASES, message, origin, hint=hint)

    def _place(self, node: Node, size: int, anchor: str | None) -> None:
        """Put a finished node where it belongs: the root, a list's entry, a key's value."""
        if anchor:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.size += size
        if not frame.is_mapping:
            frame.node.items.append(node)  # type: ignore[union-attr]
        elif frame.key is not None:  # keys themselves do not come here: _scalar takes them, others are refused
            self._entry(frame, frame.key, node)
            frame.key = None

    def _entry(self, frame: _Frame, key: _Key, value: Node) -> None:
        mapping = frame.node
        assert isinstance(mapping, Mapping)
        text, line, column, plain = key
        if text == "<<" and plain:
            frame.merges.append((value, Origin(self._source, line, column)))
        elif text in mapping.items:
            first = mapping.keys[text][0]
            message = f"the key {excerpt(text)} stands here a second time; first in line {first}"
            origin = Origin(self._source, line, column)
            self._problems.add(Code.DUPLICATE_KEY, message, origin, hint="remove one of them")
        else:
            mapping.items[text] = value
            mapping.keys[text] = (line, column)

    def _merge(self, frame: _Frame) -> None:
        mapping = frame.node
        assert isinstance(mapping, Mapping)
        (value, origin), *more = frame.merges
        if more:
            self._problems.add(Code.DUPLICATE_KEY, "<< stands here a second time", more[0][1], hint="<<: [*a, *b]")
        for part in value.items if isinstance(value, Sequence) else [value]:
            if not isinstance(part, Mapping):
                reject(Code.KEY, f"<< takes a mapping or a list of mappings, not {kind_of(part)}", origin)
            self._spend(len(part.items), origin)
            for key, item in part.items.items():
                if key not in mapping.items:
                    mapping.items[key] = item
                    mapping.keys[key] = part.keys[key]

    def _refuse_tag(self, tag: str, origin: Origin) -> None:
        shown = excerpt(tag.replace(_YAML, "!!"))
        self._problems.add(Code.TAG, f"the tag {shown} is not allowed", origin, hint="remove the tag")


def _too_deep(error: Any, text: str, source: Source) -> SpecError:
    """Our own answer to the text before the place where the parser gave up; that much it delivers up to the 65th level."""
    mark = error.problem_mark
    with suppress(yaml.YAMLError):
        try:
            _Composer(source, Problems()).read(text[: mark.index])
        except SpecError as ours:
            return ours
    origin = Origin(source, mark.line + 1, mark.column + 1)
    return spec_error(Code.TOO_DEEP, f"values are nested more than {MAX_DEPTH} deep", origin)


def _explain(error: yaml.YAMLError, source: Source, problems: Problems) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    line = min(line, len(source.lines))
    message = getattr(error, "problem", None) or "the text cannot be read"
    hint = _syntax_hint(message, source.lines[line - 1])
    problems.add(Code.SYNTAX, f"not valid YAML: {message}", Origin(source, line, column), hint=hint)


def _syntax_hint(message: str, line: str) -> str:
    if "\t" in line[: len(line) - len(line.lstrip())] or ("token" in message and line.lstrip(" ").startswith("\t")):
        return "indent with spaces, not with tabs"
    if "${" in line and ("," in message or "flow" in message):
        return "quote a text with ${...} inside { } or [ ]"
    if "mapping values are not allowed" in message:
        return 'a text that contains ": " needs quotes, or the indentation is off'
    if "cannot start any token" in message:
        return "quote a text that starts with @, `, % or another special character"
    if "expected <block end>" in message or "block mapping" in message:
        return "check the indentation of this line and the one above"
    return ""
