"""The log of a job in GitLab, folded: one section for each service."""

from __future__ import annotations

import re
from contextlib import suppress

from orchctl.cli.terminal import Terminal
from orchctl.cli.views.events import PlainLines
from orchctl.cli.views.style import Style
from orchctl.engine.clock import Clock

_CLEAR = "\r\x1b[0K"
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")


class Sections(PlainLines):
    """Sections cannot overlap, and services go on side by side: so the lines of several are held back to the end of their
    wait. Of a single one they are printed as they come. Signs of life always are."""

    def __init__(self, terminal: Terminal, clock: Clock, started: float, unix_start: float, *, single: bool) -> None:
        super().__init__(terminal, clock, started)
        self._unix_start = unix_start - started
        self._is_single = single
        self._open = ""
        self._held: dict[str, list[tuple[float, str, Style | None]]] = {}

    def stop(self) -> None:
        super().stop()
        if self._open:
            self._end(self._open, self._clock.now())
        for service, lines in self._held.items():
            self._begin(service, lines[0][0])
            for _, line, style in lines:
                self._terminal.say(line, style)
            self._end(service, lines[-1][0])

    def _tell(self, service: str, line: str, style: Style | None) -> None:
        now = self._clock.now()
        if not self._is_single:
            self._held.setdefault(service, []).append((now, line, style))
            return
        if not self._open:
            self._open = service
            self._begin(service, now)
        super()._tell(service, line, style)

    def _begin(self, service: str, at: float) -> None:
        name = _NOT_A_NAME.sub("_", service)
        self._mark(f"section_start:{self._unix(at)}:{name}[collapsed=true]{_CLEAR}{name}")

    def _end(self, service: str, at: float) -> None:
        self._mark(f"section_end:{self._unix(at)}:{_NOT_A_NAME.sub('_', service)}{_CLEAR}")

    def _mark(self, text: str) -> None:
        """Not sanitised: it is made of nothing but ours and a name."""
        with suppress(OSError):  # a log that is gone ends nothing
            self._terminal.err.write(f"{text}\n")
            self._terminal.err.flush()

    def _unix(self, at: float) -> int:
        return int(self._unix_start + at)
