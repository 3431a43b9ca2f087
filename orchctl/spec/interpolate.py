"""``${NAME}`` in values, with Compose's grammar.

``$NAME ${NAME}``; ``${NAME:-d}`` and ``${NAME-d}`` give a default, ``${NAME:?m}`` and ``${NAME?m}`` an
error, ``${NAME:+a}`` and ``${NAME+a}`` another value when it is set; with the colon an empty value counts
as unset. Operands may hold variables again; ``$$`` is a dollar sign.

Two things differ from Compose on purpose: a plain variable that is unset is an error (Compose deploys
the image ``web:`` then), and ``$(NAME)`` passes untouched, because orchctl fills ports in later.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Lookup = Callable[[str], str | None]

MAX_LENGTH = 256 * 1024
MAX_NESTING = 16

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")


class Unset(ValueError):
    """A variable without a value; ``name`` is the variable."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class TooLong(ValueError):
    """The result is longer than MAX_LENGTH."""


def interpolate(text: str, lookup: Lookup) -> str:
    """``text`` with its variables replaced. Unset, TooLong, or ValueError for what is not the grammar."""
    return text if "$" not in text else _Reader(text, lookup).read()


class _Reader:
    def __init__(self, text: str, lookup: Lookup) -> None:
        self._text = text
        self._lookup = lookup
        self._at = 0
        self._length = 0

    def read(self) -> str:
        return self._until_end(depth=0, wanted=True)

    def _until_end(self, *, depth: int, wanted: bool) -> str:
        """Up to the closing brace of an operand, or the end. ``wanted`` False: read over it, look nothing up."""
        if depth > MAX_NESTING:
            raise ValueError(f"variables are nested more than {MAX_NESTING} deep")
        parts: list[str] = []
        while self._at < len(self._text):
            stop = self._next_special(depth)
            parts.append(self._counted(self._text[self._at : stop]))
            self._at = stop
            if stop == len(self._text) or self._text[stop] == "}":
                break
            parts.append(self._dollar(depth=depth, wanted=wanted))
        return "".join(parts)

    def _next_special(self, depth: int) -> int:
        ends = [self._text.find("$", self._at)]
        if depth:
            ends.append(self._text.find("}", self._at))
        return min((end for end in ends if end >= 0), default=len(self._text))

    def _counted(self, part: str) -> str:
        self._length += len(part)
        if self._length > MAX_LENGTH:
            raise TooLong(f"the value is longer than {MAX_LENGTH} characters after substitution")
        return part

    def _dollar(self, *, depth: int, wanted: bool) -> str:
        following = self._text[self._at + 1 : self._at + 2]
        if following == "$":
            self._at += 2
            return self._counted("$")
        if following == "(":
            self._at += 2
            return self._counted("$(")
        if following == "{":
            self._at += 2
            return self._braced(depth=depth, wanted=wanted)
        name = self._name(self._at + 1)
        return self._value(name) if wanted else ""

    def _name(self, start: int) -> str:
        match = _NAME.match(self._text, start)
        if not match:
            shown = self._text[self._at : self._at + 12]
            raise ValueError(f"{shown!r} is not a variable")
        self._at = match.end()
        return match[0]

    def _braced(self, *, depth: int, wanted: bool) -> str:
        name = self._name(self._at)
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            self._close(name)
            return self._value(name) if wanted else ""
        self._at = operator.end()
        value = self._lookup(name) if wanted else None
        is_set = bool(value) if operator[0][0] == ":" else value is not None
        kind = operator[0][-1]
        use_operand = wanted and (is_set if kind == "+" else not is_set)
        operand = self._until_end(depth=depth + 1, wanted=use_operand)
        self._close(name)
        if kind == "?" and use_operand:
            raise Unset(name, f"the variable {name} is not set" + (f": {operand[:200]}" if operand else ""))
        if use_operand:
            return operand
        return self._counted(value) if kind != "+" and is_set and value else ""

    def _close(self, name: str) -> None:
        if self._text[self._at : self._at + 1] != "}":
            raise ValueError(f"${{{name} is not closed by a brace")
        self._at += 1

    def _value(self, name: str) -> str:
        value = self._lookup(name)
        if value is None:
            raise Unset(name, f"the variable {name} is not set")
        return self._counted(value)
