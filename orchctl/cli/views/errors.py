"""An error as a page: what happened, where, what to do."""

from __future__ import annotations

import unicodedata

from orchctl.cli.views.sanitise import sanitise
from orchctl.cli.views.style import paint
from orchctl.errors import ConfigError, OrchctlError, QueryError, SpecError, UnsupportedFeature

_LONGEST_EXCERPT = 100


def error_page(error: OrchctlError, *, colour: bool) -> str:
    """All problems of the error, each with its place, ending in a newline."""
    problems = [error, *error.problems] if isinstance(error, SpecError) else [error]
    pages = [_page(problem, colour=colour) for problem in problems]
    if len(pages) > 1:
        pages.append(f"{len(pages)} problems\n")
    return "\n".join(pages)


def _page(error: OrchctlError, *, colour: bool) -> str:
    lines = [f"{paint(f'error[{error.code}]', 'error', colour=colour)}: {sanitise(_sentence(error))}"]
    if isinstance(error, SpecError | ConfigError) and error.file:
        lines.append(f"  --> {sanitise(_place(error))}")
    if isinstance(error, SpecError | QueryError) and error.line and error.source_line.strip():
        lines += _excerpt(error, colour=colour)
    if isinstance(error, UnsupportedFeature):
        lines += [f"  {sanitise(path)}: {sanitise(reason)}" for path, reason in error.refusals]
    if error.hint:
        lines.append(f"{paint('help', 'bold', colour=colour)}: {sanitise(error.hint)}")
    return "\n".join(lines) + "\n"


def _sentence(error: OrchctlError) -> str:
    if isinstance(error, UnsupportedFeature):
        return f"{error.backend} cannot run service {error.service!r} as written"
    return error.message or type(error).__name__


def _place(error: SpecError | ConfigError) -> str:
    column = error.column if isinstance(error, SpecError) else 0
    return ":".join([error.file, *(str(n) for n in (error.line, column) if n)])


def _excerpt(error: SpecError | QueryError, *, colour: bool) -> list[str]:
    """The line with a caret below the column; a long line is shown around the column."""
    line, column = error.source_line.rstrip(), max(error.column, 1)
    start = max(0, column - 1 - _LONGEST_EXCERPT // 2) if len(line) > _LONGEST_EXCERPT else 0
    before = sanitise(line[start : column - 1].replace("\t", " "))
    shown = sanitise(line[start : start + _LONGEST_EXCERPT].replace("\t", " "))
    lead, number = ("... " if start else ""), str(error.line)
    caret = paint("^", "error", colour=colour)
    return [
        f"  {number} | {lead}{shown}",
        f"  {' ' * len(number)} | {' ' * (len(lead) + _cells(before))}{caret}",
    ]


def _cells(text: str) -> int:
    """Terminal columns: wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
