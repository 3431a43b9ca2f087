"""``status --watch``: looks again and again, and shows what has changed.

The cursor is never hidden and the screen never switched, so nothing has to be put back, however the command ends.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from orchctl.cli.terminal import Terminal
from orchctl.cli.views.documents import headed, status_item
from orchctl.cli.views.sanitise import sanitise
from orchctl.cli.views.style import Style, paint
from orchctl.core.rollout import Phase, Progress
from orchctl.engine.clock import Clock
from orchctl.errors import OrchctlError

if TYPE_CHECKING:
    from orchctl.engine.status import ServiceStatus

_CTRL_C = 128 + 2
_UP, _REST_OF_LINE, _REST_OF_SCREEN, _WHOLE_SCREEN = "\x1b[{}A", "\x1b[K", "\x1b[J", "\x1b[H\x1b[2J"

Look = Callable[[], "Sequence[ServiceStatus]"]
Draw = Callable[[Terminal, "Sequence[ServiceStatus]"], None]


class View(Protocol):
    """Shows one look after the other. ``trouble`` is why the last look failed; ``found`` is then the one before."""

    def show(self, found: Sequence[ServiceStatus], trouble: str, at: str) -> None: ...

    def end(self) -> None: ...


def watch(
    terminal: Terminal, clock: Clock, found: Sequence[ServiceStatus], look: Look, draw: Draw, *, every_ms: int
) -> int:
    """Show ``found``, then one look after the other, until Ctrl-C. A look that fails is told, and the next one tried."""
    view, trouble = _view(terminal, draw, every_ms), ""
    try:
        while True:
            view.show(found, trouble, clock.wall())
            clock.sleep(every_ms / 1000)
            try:
                found, trouble = look(), ""
            except OrchctlError as error:
                trouble = f"{error}; looking again"
    except KeyboardInterrupt:
        view.end()
        return _CTRL_C


def _view(terminal: Terminal, draw: Draw, every_ms: int) -> View:
    if terminal.output == "jsonl":
        return _JsonLines(terminal)
    is_screen = terminal.out.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    return _InPlace(terminal, draw, every_ms) if is_screen else _Blocks(terminal, draw)


class _InPlace:
    """One picture, drawn over the one before in a single write."""

    def __init__(self, terminal: Terminal, draw: Draw, every_ms: int) -> None:
        self._terminal = terminal
        self._draw = draw
        self._every_ms = every_ms
        self._lines = 0
        self._size = (0, 0)

    def show(self, found: Sequence[ServiceStatus], trouble: str, at: str) -> None:
        size = shutil.get_terminal_size((80, 24))
        lines = self._picture(found, trouble, at, width=size.columns - 1, height=size.lines - 1)
        # Lines of the former picture have wrapped otherwise when the window has another width now.
        home = _UP.format(self._lines) if self._lines else ""
        start = home if size == self._size or not self._lines else _WHOLE_SCREEN
        text = "".join(f"{line}{_REST_OF_LINE}\n" for line in lines)
        self._terminal.print(f"{start}{text}{_REST_OF_SCREEN}")
        self._terminal.out.flush()
        self._lines, self._size = len(lines), size

    def end(self) -> None:
        self._terminal.print("\n")  # behind the ^C that the terminal shows

    def _picture(
        self, found: Sequence[ServiceStatus], trouble: str, at: str, *, width: int, height: int
    ) -> Sequence[str]:
        from rich.cells import set_cell_size

        lines = _drawn(replace(self._terminal, width=width), self._draw, found).splitlines()
        foot: list[tuple[str, Style]] = [(trouble, "error")] if trouble else []
        foot += [(f"{at}, every {self._every_ms / 1000:g} s, Ctrl-C ends", "dim")]
        room = max(1, height - len(foot))
        if len(lines) > room:
            foot[:0] = [(f"and {len(lines) - room + 1} more lines", "dim")]
            lines = lines[: room - 1]
        colour = self._terminal.colour_out
        return lines + [paint(set_cell_size(sanitise(t), width).rstrip(), s, colour=colour) for t, s in foot]


class _Blocks:
    """For pipes: the table again whenever it says something else, under the time."""

    def __init__(self, terminal: Terminal, draw: Draw) -> None:
        self._terminal = terminal
        self._draw = draw
        self._shown = ""
        self._trouble = ""

    def show(self, found: Sequence[ServiceStatus], trouble: str, at: str) -> None:
        self._trouble = _tell(self._terminal, trouble, before=self._trouble)
        text = _drawn(self._terminal, self._draw, found)
        if text != self._shown:
            self._terminal.print(f"{chr(10) if self._shown else ''}{at}\n{text}")
            self._terminal.out.flush()
            self._shown = text

    def end(self) -> None:
        """Nothing is open."""


class _JsonLines:
    """One ServiceStatus for each service that has changed; one that is gone is stopped, with a message."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown: dict[str, dict[str, Any]] = {}
        self._last: dict[str, ServiceStatus] = {}
        self._trouble = ""

    def show(self, found: Sequence[ServiceStatus], trouble: str, at: str) -> None:  # noqa: ARG002 - no time in it
        self._trouble = _tell(self._terminal, trouble, before=self._trouble)
        there = {s.name: s for s in found}
        gone = [_gone(s) for name, s in self._last.items() if name not in there]
        for status in (*found, *gone):
            item = status_item(status)
            if self._shown.get(status.name) != item:
                self._terminal.document(headed("ServiceStatus", item))
                self._shown[status.name] = item
        self._last = there

    def end(self) -> None:
        """Nothing is open."""


def _drawn(terminal: Terminal, draw: Draw, found: Sequence[ServiceStatus]) -> str:
    buffer = io.StringIO()
    draw(replace(terminal, out=buffer), found)
    return buffer.getvalue() or "no services\n"


def _tell(terminal: Terminal, trouble: str, *, before: str) -> str:
    """On stderr, once for as long as it lasts."""
    if trouble and trouble != before:
        terminal.complain(trouble, "error")
    return trouble


def _gone(status: ServiceStatus) -> ServiceStatus:
    return replace(
        status,
        phase=Phase.STOPPED,
        wanted=0,
        ready=0,
        updated=0,
        revision=0,
        image="",
        message="it is not there any more",
        progress=Progress(template_hash="", replicas=0),
    )
