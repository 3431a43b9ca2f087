"""Findings of ``doctor`` as lines: one for each check, and what to do below it."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap

from orchctl.cli.views.sanitise import sanitise
from orchctl.cli.views.style import Style, paint
from orchctl.core.check import Check, Health

_STYLES: Mapping[Health, Style] = {
    Health.GOOD: "good",
    Health.WARNING: "warning",
    Health.BAD: "error",
    Health.UNKNOWN: "dim",
}
_STATE = max(len(health.value) for health in Health)
_HELP = "help: "


def check_lines(context: str, check: Check, *, longest: int, width: int, colour: bool) -> list[str]:
    """``warning  prod  clock: ...``, folded below itself at ``width``; ``longest`` is that of the contexts' names."""
    state = check.health.value
    room = min(longest, width // 4)  # a longer name stands in the way of its own line only
    head = f"{state:<{_STATE}}  {sanitise(context):<{room}}  "
    below = " " * (_STATE + room + 4)
    first, *more = _folded(f"{check.name}: {check.finding}", width, head, below)
    lines = [paint(state, _STYLES[check.health], colour=colour) + first.removeprefix(state), *more]
    if not check.hint:
        return lines
    first, *more = _folded(_HELP + check.hint, width, below, below + " " * len(_HELP))
    word = paint(_HELP.rstrip(": "), "bold", colour=colour)
    return [*lines, first.replace("help", word, 1), *more]


def _folded(text: str, width: int, head: str, below: str) -> list[str]:
    """Words stay whole: paths, addresses and commands are there to be copied."""
    return wrap(
        sanitise(text),
        width,
        initial_indent=head,
        subsequent_indent=below,
        break_long_words=False,
        break_on_hyphens=False,
    )
