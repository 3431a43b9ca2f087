"""What is wrong, in one shape: problems of specs, what a backend does not take as written, outcomes that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from orchctl.cli.views.outcomes import failure_lines
from orchctl.cli.views.sanitise import sanitise
from orchctl.core.plan import Issue, Policy
from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.errors import OrchctlError, SpecError, UnsupportedFeature


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``rule`` is an error code, or the policy of an issue. ``line`` and ``column`` count from 1; 0 = unknown."""

    level: Literal["error", "warning", "note"]
    rule: str
    title: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One service against one backend. ``file`` is where the service stands, ``origins`` where its values do."""

    service: str
    backend: str
    issues: Sequence[Issue]
    is_strict: bool = False
    file: str = ""
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_refused(self) -> bool:
        return any(self.refuses(issue) for issue in self.issues)

    def refuses(self, issue: Issue) -> bool:
        return self.is_strict or issue.policy is Policy.REJECT


def findings_of_error(error: OrchctlError) -> list[Finding]:
    """One for each problem of a spec; one for anything else."""
    problems = [error, *error.problems] if isinstance(error, SpecError) else [error]
    return [_problem(p) for p in problems]


def findings_of_checks(checked: Sequence[Checked]) -> list[Finding]:
    """One for each issue, at the value that causes it."""
    return [_issue(c, issue) for c in checked for issue in c.issues]


def findings_of_issues(service: str, issues: Sequence[Issue], *, backend: str) -> list[Finding]:
    """The same without places: a plan does not keep them."""
    return findings_of_checks([Checked(service=service, backend=backend, issues=issues)])


def findings_of_outcomes(outcomes: Sequence[Outcome]) -> list[Finding]:
    """One for each service that is not as wanted."""
    found = []
    for outcome in outcomes:
        skipped = outcome.state is OutcomeState.NOT_STARTED
        if outcome.exit_code or skipped:
            title = f"{outcome.service}: {state_words(outcome)}"
            message = evidence(outcome) or title
            level: Literal["error", "warning"] = "warning" if skipped else "error"
            found.append(Finding(level=level, rule=outcome.error_code or "E0700", title=title, message=message))
    return found


def evidence(outcome: Outcome) -> str:
    """All that is known about it, as lines."""
    lines = [outcome.message, *(line for f in outcome.failures for line in failure_lines(f))]
    return _joined([*filter(None, lines), *([f"help: {outcome.hint}"] if outcome.hint else [])])


def error_text(error: OrchctlError) -> str:
    """What happened and what to do, as lines."""
    lines = [error.message or type(error).__name__]
    if isinstance(error, UnsupportedFeature):
        lines = [f"{error.backend} cannot run service {error.service!r} as written"]
        lines += [f"{path}: {reason}" for path, reason in error.refusals]
    return _joined([*lines, *([f"help: {error.hint}"] if error.hint else [])])


def _joined(lines: Sequence[str]) -> str:
    """A line that a backend breaks in two stays one: its second half could look like a line of ours."""
    return "\n".join(map(sanitise, lines))


def state_words(outcome: Outcome) -> str:
    return outcome.state.value.replace("_", " ")


def _problem(error: OrchctlError) -> Finding:
    return Finding(
        level="error",
        rule=error.code,
        title=f"error[{error.code}]",
        message=error_text(error),
        file=getattr(error, "file", ""),
        line=getattr(error, "line", 0),
        column=getattr(error, "column", 0),
    )


def _issue(checked: Checked, issue: Issue) -> Finding:
    file, line, column = _place(checked, issue.path)
    return Finding(
        level="error" if checked.refuses(issue) else "warning" if issue.policy is Policy.WARN else "note",
        rule=UnsupportedFeature.code if issue.policy is Policy.REJECT else issue.policy.value,
        title=f"{checked.service} on {checked.backend}",
        message=f"{issue.path}: {issue.message}",
        file=file,
        line=line,
        column=column,
    )


def _place(checked: Checked, path: str) -> tuple[str, int, int]:
    """Of the value, or of the nearest one around it."""
    while path:
        if origin := checked.origins.get(path):
            file, line, column = origin.rsplit(":", 2)
            return file, int(line), int(column)
        path = path.rpartition(".")[0]
    return checked.file, 0, 0
