"""Plans as Markdown, for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchctl.cli.ci.escapes import markdown_text
from orchctl.cli.ci.summary import cut
from orchctl.cli.views.plan import summary, value_text
from orchctl.core.plan import Change, Op, Plan

MOST = 65_000
"""Bytes; GitHub takes 65 536 characters, which are never more."""

_NOTE = "\n(cut: `orchctl plan` shows all of it)\n"
_MARKS = {Op.ADD: "+", Op.UPDATE: "~", Op.REMOVE: "-"}


def comment(plans: Sequence[Plan]) -> str:
    """A table of changes for each service, what restarts, and what is not as written."""
    return cut([part for plan in plans for part in _parts(plan)], _NOTE, most=MOST)


def _parts(plan: Plan) -> Iterator[str]:
    place = f"namespace {plan.service.namespace}, {plan.backend}, context {plan.context}"
    yield f"### {markdown_text(plan.service.name)}: {markdown_text(summary(plan))}\n\n{markdown_text(place)}\n\n"
    if plan.changes:
        yield "| | Field | Before | After | Restarts |\n| --- | --- | --- | --- | --- |\n"
        yield from map(_row, plan.changes)
        yield "\n"
    yield from (_lines(change) for change in plan.changes if change.lines)
    for issue in plan.issues:
        yield f"- **{issue.policy.value}** {_code(issue.path)}: {markdown_text(issue.message)}\n"
    yield from (f"- {markdown_text(note)}\n" for note in plan.notes)
    yield "\n"


def _row(change: Change) -> str:
    before = "" if change.op is Op.ADD else _code(value_text(change.before))
    after = "" if change.op is Op.REMOVE else _code(value_text(change.after))
    restarts = "restarts" if change.restarts else ""
    return f"| {markdown_text(_MARKS[change.op])} | {_code(change.path)} | {before} | {after} | {restarts} |\n"


def _lines(change: Change) -> str:
    """What changes in a file. In ``pre``, where Markdown reads nothing."""
    return f"{_code(change.path)}\n<pre>\n" + "\n".join(map(markdown_text, change.lines)) + "\n</pre>\n\n"


def _code(text: str) -> str:
    return f"<code>{markdown_text(text)}</code>"
