"""Where output goes and how it looks, decided once per command."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

from orchctl.cli.options import Printing, Talk
from orchctl.cli.views.sanitise import sanitise
from orchctl.cli.views.style import Style, paint, wants_colour
from orchctl.cli.views.table import WIDE, Cell, draw_table

if TYPE_CHECKING:
    from orchctl.cli.ci.audience import Audience
    from orchctl.cli.query import Query

NARROW = 60
"""Columns of a terminal: below, tables have less of them."""

DOCUMENTS = ("json", "jsonl", "yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Data goes to ``out``, talk to ``err``. ``output`` is the value of ``-o``; ``progress`` one of tty, plain, quiet, json.

    ``audience``: who hears of the command besides. ``query``: what is printed of each document instead of all.
    ``arguments``: the command line from the verb on.
    """

    out: TextIO
    err: TextIO
    output: str
    colour_out: bool
    colour_err: bool
    width: int
    progress: str
    quiet: bool
    verbose: bool
    audience: Audience | None = None
    query: Query | None = None
    arguments: Sequence[str] = ()

    @property
    def wants_document(self) -> bool:
        """Stdout carries documents, or what is found in them, and nothing else."""
        return self.output in DOCUMENTS or self.query is not None

    def say(self, text: str, style: Style | None = None) -> None:
        """One line of talk; nothing with --quiet."""
        if not self.quiet:
            self.complain(text, style)

    def complain(self, text: str, style: Style | None = None) -> None:
        """One line about a failure; said with --quiet too. Nobody needs to hear it: a terminal that is gone ends nothing."""
        with suppress(OSError):
            if self.progress == "json":
                self._tell_message(text, style)
                return
            line = sanitise(text)
            self.err.write((paint(line, style, colour=self.colour_err) if style else line) + "\n")
            self.err.flush()

    def tell(self, document: Mapping[str, Any]) -> None:
        """One document as a line of talk: ``--progress json``. OSError when nobody reads."""
        from orchctl.cli.views.documents import write_document

        write_document(self.err, document, "jsonl")
        self.err.flush()

    def print(self, text: str) -> None:
        """Text that is fit for the terminal, as data."""
        self.out.write(text)

    def names(self, names: Iterable[str]) -> None:
        """``-o name``: one name a line."""
        for name in names:
            self.out.write(sanitise(name) + "\n")

    def document(self, document: Mapping[str, Any]) -> None:
        """As ``-o`` and ``--query`` say; one of a stream is flushed. QueryError when the expression does not fit it."""
        if self.query is not None:
            self.query.print(self.out, document)
        else:
            from orchctl.cli.views.documents import write_document

            write_document(self.out, document, self.output)
        if self.output == "jsonl":
            self.out.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, narrow: Sequence[str] = ()) -> None:
        """``narrow``: the columns that are enough where there is no room for all; none: all of them, folded."""
        if narrow and self.width < NARROW:
            places = [columns.index(name) for name in narrow]
            columns, rows = narrow, [[row[place] for place in places] for row in rows]
        draw_table(self.out, columns, rows, width=self.width, colour=self.colour_out)

    def _tell_message(self, text: str, style: Style | None) -> None:
        from orchctl.cli.views.documents import message_document

        level: Literal["info", "warning", "error"] = style if style in ("error", "warning") else "info"
        self.tell(message_document(text, level))


def terminal_of(talk: Talk, output: str, audience: Audience | None = None) -> Terminal:
    """The Terminal of this process."""
    out, err, environ = sys.stdout, sys.stderr, os.environ
    progress = _progress(talk, err)
    return Terminal(
        out=out,
        err=err,
        output=output,
        colour_out=wants_colour(talk.color, environ, is_terminal=out.isatty()),
        colour_err=progress != "json" and wants_colour(talk.color, environ, is_terminal=err.isatty()),
        width=_width(out),
        progress=progress,
        quiet=talk.quiet,
        verbose=talk.verbose,
        audience=audience,
        query=_query(talk, output),
        arguments=sys.argv[1:],
    )


def _query(talk: Talk, output: str) -> Query | None:
    """UsageError before anything is looked at or sent."""
    if not isinstance(talk, Printing) or talk.query is None:
        return None
    from orchctl.cli.query import Query

    return Query(talk.query, output)


def _width(out: TextIO) -> int:
    if not out.isatty() or os.environ.get("CI"):
        return WIDE
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def _progress(talk: Talk, err: TextIO) -> str:
    if talk.quiet and talk.progress != "json":  # quiet documents: the errors alone
        return "quiet"
    if talk.progress != "auto":
        return talk.progress
    return "tty" if err.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI") else "plain"
