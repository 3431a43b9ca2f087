"""Collects everything that is wrong, so that a user sees all of it at once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NoReturn

from orchctl.errors import SpecError
from orchctl.spec.codes import Code
from orchctl.spec.nodes import Origin

_MOST = 100  # a message list longer than this helps nobody


class Problems:
    """Errors in the order found. ``fail`` raises the first, the others in its ``problems``."""

    def __init__(self) -> None:
        self.found: list[SpecError] = []
        self._seen: set[tuple[str, int, int, str]] = set()

    def add(self, code: Code, message: str, origin: Origin | None = None, *, hint: str = "") -> None:
        error = spec_error(code, message, origin, hint=hint)
        key = (error.file, error.line, error.column, message)
        if key not in self._seen and len(self.found) < _MOST:
            self._seen.add(key)
            self.found.append(error)

    def at(self, origin: Origin) -> bool:
        """Is there a problem at this place already?"""
        return any((e.file, e.line, e.column) == (origin.source.name, *origin[1:]) for e in self.found)

    def take(self, error: SpecError) -> None:
        """Add an error that was raised, with the others it carries."""
        self.found += [error, *error.problems]

    def fail(self) -> None:
        """Raise if there is any problem; those of a file in the order of its lines."""
        if self.found:
            files = list(dict.fromkeys(error.file for error in self.found))
            first, *rest = sorted(self.found, key=lambda e: (files.index(e.file), e.line, e.column))
            first.problems = tuple(rest)
            raise first


def spec_error(code: Code, message: str, origin: Origin | None = None, *, hint: str = "") -> SpecError:
    """One SpecError at ``origin``, with the text of its line."""
    if origin is None:
        return SpecError(message, hint=hint, code=code.value)
    lines = origin.source.lines
    return SpecError(
        message,
        file=origin.source.name,
        line=origin.line,
        column=origin.column,
        source_line=lines[origin.line - 1] if 0 < origin.line <= len(lines) else "",
        hint=hint,
        code=code.value,
    )


def reject(code: Code, message: str, origin: Origin | None = None, *, hint: str = "") -> NoReturn:
    """Raise one SpecError at ``origin``."""
    raise spec_error(code, message, origin, hint=hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'replicas'?``, or "" when nothing is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def excerpt(text: str) -> str:
    """``text`` as a message shows it: quoted, escaped and short."""
    return ascii(text[:60] + "...") if len(text) > 60 else ascii(text) if not text.isprintable() else repr(text)
