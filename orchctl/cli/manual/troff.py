"""A small writer of man(7) pages: plain text in, troff out. Reads the same in groff and mandoc."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchctl import __version__

_SPECIAL = {"\\": r"\(rs", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
_CODE = re.compile(r"`([^`]+)`")


def title(name: str, section: int, manual: str) -> str:
    """The first lines. No date: the page is as old as the program's version. Words are whole and lines ragged,
    so that every option and value can be searched and copied."""
    head = f'.TH {escaped(name.upper())} {section} "" "orchctl {__version__}" "{manual}"'
    return f"{head}\n.nh\n.ad l\n"


def heading(text: str) -> str:
    return f".SH {text}\n"


def subheading(text: str) -> str:
    return f'.SS "{escaped(text)}"\n'


def paragraph(text: str) -> str:
    """Words in backquotes become bold."""
    return f".PP\n{line(text)}\n"


def as_it_is(lines: Sequence[str]) -> str:
    """Lines that keep their breaks."""
    return ".PP\n.nf\n.RS 4\n" + "".join(f"{line(text)}\n" for text in lines) + ".RE\n.fi\n"


def entries(pairs: Iterable[tuple[str, str]]) -> str:
    """Terms in bold with their sentences below."""
    return "".join(f".TP\n\\fB{_breakable(term)}\\fR\n{line(text)}\n" for term, text in pairs)


def line(text: str) -> str:
    """One line of running text: never taken for a request, code in bold."""
    parts = _CODE.split(text)
    told = "".join(rf"\fB{escaped(part)}\fR" if n % 2 else escaped(part) for n, part in enumerate(parts))
    return rf"\&{told}" if told.startswith((".", r"\(aq")) else told


def escaped(text: str) -> str:
    """Every character stands for itself."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def _breakable(term: str) -> str:
    """A long list of values may go on in the next line behind a bar."""
    return escaped(term).replace("|", r"|\:")
