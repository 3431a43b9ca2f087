"""Where output goes and how it looks, decided once per command."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TextIO

from orchctl.cli.options import Talk
from orchctl.cli.render.sanitise import sanitise
from orchctl.cli.render.style import Style, paint, wants_colour
from orchctl.cli.render.table import WIDE, Cell, draw_table

DOCUMENTS = ("json", "jsonl", "yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Data goes to ``out``, talk to ``err``. ``output`` is the value of ``-o``; ``progress`` one of tty, plain, quiet."""

    out: TextIO
    err: TextIO
    output: str
    colour_out: bool
    colour_err: bool
    width: int
    progress: str
    quiet: bool
    verbose: bool

    @property
    def wants_document(self) -> bool:
        """Stdout carries documents and nothing else."""
        return self.output in DOCUMENTS

    def say(self, text: str, style: Style | None = None) -> None:
        """One line of talk; nothing with --quiet."""
        if not self.quiet:
            self.complain(text, style)

    def complain(self, text: str, style: Style | None = None) -> None:
        """One line about a failure; said with --quiet too. Nobody needs to hear it: a terminal that is gone ends nothing."""
        line = sanitise(text)
        with suppress(OSError):
            self.err.write((paint(line, style, colour=self.colour_err) if style else line) + "\n")
            self.err.flush()

    def print(self, text: str) -> None:
        """Text that is fit for the terminal, as data."""
        self.out.write(text)

    def names(self, names: Iterable[str]) -> None:
        """``-o name``: one name a line."""
        for name in names:
            self.out.write(sanitise(name) + "\n")

    def document(self, document: Mapping[str, Any]) -> None:
        from orchctl.cli.render.documents import write_document

        write_document(self.out, document, self.output)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        draw_table(self.out, columns, rows, width=self.width, colour=self.colour_out)


def terminal_of(talk: Talk, output: str) -> Terminal:
    """The Terminal of this process."""
    out, err, environ = sys.stdout, sys.stderr, os.environ
    return Terminal(
        out=out,
        err=err,
        output=output,
        colour_out=wants_colour(talk.color, environ, is_terminal=out.isatty()),
        colour_err=wants_colour(talk.color, environ, is_terminal=err.isatty()),
        width=_width(out),
        progress=_progress(talk, err),
        quiet=talk.quiet,
        verbose=talk.verbose,
    )


def _width(out: TextIO) -> int:
    if not out.isatty() or os.environ.get("CI"):
        return WIDE
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def _progress(talk: Talk, err: TextIO) -> str:
    if talk.quiet:
        return "quiet"
    if talk.progress != "auto":
        return talk.progress
    return "tty" if err.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI") else "plain"
