"""What a spec file says, with the place where it says it: scalars, mappings and sequences.

Nodes are shared by aliases and layers and are therefore never changed after they are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SETTING = "--set"
"""The source of what the command line lays over the files."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that nodes come from.

    ``directory`` is where its relative paths and its ``.env`` are; None = neither is allowed.
    ``has_variables`` False: nothing in it can be a variable.
    """

    name: str
    lines: tuple[str, ...] = ()
    directory: Path | None = None
    has_variables: bool = True


class Origin(NamedTuple):
    """A place; ``line`` and ``column`` count from 1."""

    source: Source
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


Place = tuple[int, int]
"""Line and column, from 1."""


class _Placed:
    """The place is kept in parts, not as an Origin: the garbage collector visits every object that refers to
    others, and a thousand specs have a hundred thousand places (half of the loading time, 2026-11).
    """

    __slots__ = ("column", "line", "source")

    source: Source
    line: int
    column: int

    @property
    def origin(self) -> Origin:
        return Origin(self.source, self.line, self.column)


class Scalar(_Placed):
    """``plain``: written without quotes, so that the text decides its type (``spec.scalars``).

    ``written`` is what a message may show instead of ``text`` where that came from a variable or from
    the command line. ``literal``: not interpolated.
    """

    __slots__ = ("literal", "plain", "text", "written")

    def __init__(self, text: str, source: Source, line: int, column: int, plain: bool = False) -> None:
        self.text = text
        self.source = source
        self.line = line
        self.column = column
        self.plain = plain
        self.literal = False
        self.written: str | None = None

    def expanded(self, text: str, *, plain: bool) -> Scalar:
        """This scalar with its variables replaced."""
        scalar = Scalar(text, self.source, self.line, self.column, plain)
        scalar.written = self.text
        return scalar


def literal(text: str, origin: Origin, *, plain: bool = False, written: str | None = None) -> Scalar:
    """A scalar that is not interpolated."""
    scalar = Scalar(text, *origin, plain)
    scalar.literal = True
    scalar.written = written
    return scalar


class Sequence(_Placed):
    """``replaces``: merged over another value it replaces it, even where its kind would merge."""

    __slots__ = ("items", "replaces")

    def __init__(self, items: list[Node], origin: tuple[Source, int, int], *, replaces: bool = False) -> None:
        self.items = items
        self.source, self.line, self.column = origin
        self.replaces = replaces


class Mapping(_Placed):
    """``keys`` has the place of every key, in the source of its value; ``replaces`` as in Sequence."""

    __slots__ = ("items", "keys", "replaces")

    def __init__(
        self,
        items: dict[str, Node],
        keys: dict[str, Place],
        origin: tuple[Source, int, int],
        *,
        replaces: bool = False,
    ) -> None:
        self.items = items
        self.keys = keys
        self.source, self.line, self.column = origin
        self.replaces = replaces

    def key_origin(self, key: str) -> Origin:
        """Where ``key`` stands; for a key that is not there, where the mapping starts."""
        return Origin(self.items[key].source, *self.keys[key]) if key in self.keys else self.origin


Node = Scalar | Sequence | Mapping
NodePath = tuple[str | int, ...]


def kind_of(node: Node) -> str:
    """A node's kind in the user's words."""
    if isinstance(node, Mapping):
        return "a mapping"
    return "a list" if isinstance(node, Sequence) else "a single value"


def find(node: Node, path: NodePath) -> Node | None:
    """The node at ``path``, or None."""
    for step in path:
        inside = _step(node, step)
        if inside is None:
            return None
        node = inside
    return node


def _step(node: Node, step: str | int) -> Node | None:
    if isinstance(node, Mapping):
        return node.items.get(str(step))
    if isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
        return node.items[step]
    return None
