"""Output in which the runner of GitHub Actions finds no workflow command."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TextIO

# The runner trims a line and looks for ``::`` at its start; and for ``##[`` anywhere, the older form
# (actions/runner, ActionCommand.cs, 2026-11). It ends lines at CR, too.
_COMMAND = re.compile(r"([\r\n]\s*):|(?<=##)\[")
_BREAK = re.compile(r"[\r\n]")


class Defused:
    """A stream of text. What would start a command is shown escaped: ``\\x3a:add-mask``, ``##\\x5badd-mask]``."""

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner
        self._before = "\n"

    def write(self, text: str) -> int:
        """Also a command that arrives in pieces is found."""
        whole = self._before + text
        self.inner.write(_COMMAND.sub(_escape, whole)[len(self._before) :])
        line = _BREAK.split(whole)[-1]
        self._before = f"x{line[-2:]}" if line.strip() else "\n"
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def undefused(stream: TextIO) -> TextIO:
    """Where our own commands go."""
    return stream.inner if isinstance(stream, Defused) else stream


def _escape(match: re.Match[str]) -> str:
    return "\\x5b" if match[0] == "[" else f"{match[1]}\\x3a"
