"""Outcomes as Markdown, for the page of a run."""

from __future__ import annotations

import html
from collections.abc import Sequence

from orchctl.cli.ci.escapes import markdown_text
from orchctl.cli.ci.findings import evidence, state_words
from orchctl.cli.views.events import seconds
from orchctl.cli.views.sanitise import sanitise_lines
from orchctl.core.rollout import Outcome

MOST_BYTES = 900_000
"""GitHub refuses a step's whole summary above 1 MiB."""

_NOTE = "\n(cut: the log has all of it)\n"


def summary(verb: str, outcomes: Sequence[Outcome], *, most_bytes: int) -> str:
    """A table, and below it what is known about each failure; "" when there is no room for anything."""
    head = [f"### orchctl {verb}\n\n", "| Service | State | Revision | Time |\n", "| --- | --- | --- | --- |\n"]
    rows = [_row(outcome) for outcome in outcomes]
    details = [_details(outcome) for outcome in outcomes if outcome.exit_code]
    return cut(["".join(head), *rows, "\n", *details], _NOTE, most=most_bytes)


def cut(parts: Sequence[str], note: str, *, most: int) -> str:
    """The parts that fit into ``most`` bytes, whole, and ``note`` when some do not."""
    sizes = [len(part.encode()) for part in parts]
    if sum(sizes) <= most:
        return "".join(parts)
    kept, left = [], most - len(note.encode())
    for part, size in zip(parts, sizes, strict=True):
        if size > left:
            break
        kept.append(part)
        left -= size
    return "".join([*kept, note]) if kept else ""


def _row(outcome: Outcome) -> str:
    cells = [outcome.service, state_words(outcome), str(outcome.revision or ""), seconds(outcome.duration_ms)]
    return f"| {' | '.join(markdown_text(cell) for cell in cells)} |\n"


def _details(outcome: Outcome) -> str:
    """``<pre>`` on a line of its own reads no Markdown up to its end."""
    head = markdown_text(f"{outcome.service}: {state_words(outcome)}")
    text = html.escape(sanitise_lines(evidence(outcome)))
    return f"<details><summary>{head}</summary>\n\n<pre>\n{text}\n</pre>\n\n</details>\n\n"
