"""Colours for lines that need no layout: a few SGR codes, without importing rich."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Style = Literal["error", "warning", "good", "add", "remove", "update", "dim", "bold"]

_CODES: Mapping[Style, str] = {
    "error": "1;31",
    "warning": "33",
    "good": "32",
    "add": "32",
    "remove": "31",
    "update": "33",
    "dim": "2",
    "bold": "1",
}


def paint(text: str, style: Style, *, colour: bool) -> str:
    """``text`` in a style; unchanged without colour. The text must be sanitised already."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if colour and text else text


def wants_colour(mode: str, environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Precedence: the flag, NO_COLOR (no-color.org), FORCE_COLOR, TERM=dumb, and whether a terminal looks at it."""
    if mode != "auto":
        return mode == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal and environ.get("TERM") != "dumb"
