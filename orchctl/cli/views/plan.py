"""A plan for people: the fields that change, what restarts, what is not as written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from orchctl.cli.views.sanitise import sanitise
from orchctl.cli.views.style import Style, paint
from orchctl.core.plan import Change, Issue, Op, Plan, Policy

_MARKS: dict[Op, tuple[str, Style]] = {Op.ADD: ("+", "add"), Op.UPDATE: ("~", "update"), Op.REMOVE: ("-", "remove")}
_LONGEST_VALUE = 200


def plan_lines(plan: Plan, *, colour: bool, verbose: bool = False) -> list[str]:
    """Head, one line for each change, issues, notes, summary. Of a new service only what is not as by default, unless
    ``verbose``."""
    name = sanitise(f"{plan.service.name} (namespace {plan.service.namespace}, {plan.backend}, context {plan.context})")
    lines = [paint(name, "bold", colour=colour)]
    shown = plan.changes if verbose or plan.expect else _not_by_default(plan)
    for change in shown:
        lines += [_change(change, colour=colour), *_file_lines(change, colour=colour)]
    if left := len(plan.changes) - len(shown):
        lines.append(paint(f"  + {left} more as by default (-v shows them)", "dim", colour=colour))
    lines += issue_lines(plan.issues, colour=colour)
    lines += [f"  {sanitise(note)}" for note in plan.notes]
    return [*lines, sanitise(f"  {summary(plan)}")]


def _not_by_default(plan: Plan) -> list[Change]:
    from orchctl.core.diff import diff  # for plans only, as below
    from orchctl.core.document import defaults_of

    by_default = {c.path: c.after for c in diff({}, defaults_of(plan.service), restarts=lambda _: False)}
    return [c for c in plan.changes if c.path not in by_default or by_default[c.path] != c.after]


def issue_lines(issues: Sequence[Issue], *, colour: bool) -> list[str]:
    """``  warn  resources.cpu: not enforced``."""
    return [
        f"  {paint(f'{issue.policy.value:<7}', 'error' if issue.policy is Policy.REJECT else 'warning', colour=colour)} "
        f"{sanitise(issue.path)}: {sanitise(issue.message)}"
        for issue in issues
    ]


def summary(plan: Plan) -> str:
    """One line: how much changes, and whether instances are replaced."""
    if plan.is_empty:
        return "nothing to change"
    if not plan.expect:
        count = plan.service.replicas or 0
        return f"new service with {count} replica{'' if count == 1 else 's'}"
    count = len(plan.changes)
    effect = "instances are replaced" if plan.restarts else "nothing restarts"
    return f"{count} change{'' if count == 1 else 's'}; {effect}"


def _change(change: Change, *, colour: bool) -> str:
    mark, style = _MARKS[change.op]
    values: dict[Op, Callable[[], str]] = {
        Op.ADD: lambda: value_text(change.after),
        Op.REMOVE: lambda: value_text(change.before),
        Op.UPDATE: lambda: f"{value_text(change.before)} -> {value_text(change.after)}",
    }
    restarts = paint("  (restarts)", "warning", colour=colour) if change.restarts else ""
    line = paint(f"{mark} {sanitise(change.path)}: {values[change.op]()}", style, colour=colour)
    return f"  {line}{restarts}"


def _file_lines(change: Change, *, colour: bool) -> list[str]:
    styles: dict[str, Style] = {"+": "add", "-": "remove"}
    return [f"      {paint(sanitise(line), styles.get(line[:1], 'dim'), colour=colour)}" for line in change.lines]


def value_text(value: Any) -> str:
    """Plain scalars as they are; what could be misread, and everything with structure, as JSON. Sanitised; long ones are cut."""
    if isinstance(value, str) and value.isprintable() and value == value.strip() and value:
        text = value
    else:
        import json  # for plans only: validate shows issues, too

        from orchctl.core.codec import to_plain

        text = json.dumps(to_plain(value), ensure_ascii=False, sort_keys=True)
    text = sanitise(text)
    return f"{text[:_LONGEST_VALUE]}..." if len(text) > _LONGEST_VALUE else text
