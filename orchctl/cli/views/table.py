"""Tables that fit: 80 columns or the terminal's width, 200 where nobody's window decides (CI, pipes)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from orchctl.cli.views.sanitise import sanitise

WIDE = 200
_SHORT = 12  # counts, states, revisions

Cell = str | tuple[str, str]
"""Text, or text with a rich style."""


def draw_table(
    file: TextIO, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, width: int, colour: bool
) -> None:
    """Print rows under column names. Names and numbers are folded when there is no room, never cut."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold" if colour else "")
    whole = _kept_whole(columns, rows, width)
    for column in columns:
        table.add_column(Text(column), overflow="fold", no_wrap=column in whole)
    for row in rows:
        table.add_row(*(Text(*_safe(cell)) for cell in row))
    console = Console(
        file=file,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(table)
    # Rich fills the last column with blanks to its width; lines of a pipe should end where their text ends.
    file.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def _kept_whole(columns: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> set[str]:
    """Columns that are never folded: short ones, unless they would take more than half of the width (Rich then
    drops the columns to their right, 15.0)."""
    longest = {c: max([len(c), *(len(_safe(row[n])[0]) for row in rows)]) + 2 for n, c in enumerate(columns)}
    short = {c for c, cells in longest.items() if cells <= _SHORT + 2}
    return short if sum(longest[c] for c in short) <= width // 2 else set()


def short_image(image: str) -> str:
    """The reference with twelve digits of its digest: enough to tell images apart, short enough for a table."""
    name, at, digest = image.partition("@sha256:")
    return f"{name}{at}{digest[:12]}" if at else image


def _safe(cell: Cell) -> tuple[str, str]:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return sanitise(text), style
