"""How an operation ended: a summary line for each service, and for failures what is known about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from orchctl.cli.command import pasted, resume_hint
from orchctl.cli.reporter import Reporter
from orchctl.cli.terminal import Terminal
from orchctl.cli.views.documents import headed, one_or_list, outcome_item
from orchctl.cli.views.events import ready_words, seconds
from orchctl.cli.views.style import Style
from orchctl.core.rollout import Failure, Outcome, OutcomeState
from orchctl.engine.waves import exit_code
from orchctl.errors import QueryError

_LOG_LINES = 10

_STYLES: dict[OutcomeState, Style] = {
    OutcomeState.CONVERGED: "good",
    OutcomeState.UNCHANGED: "good",
    OutcomeState.DELETED: "good",
    OutcomeState.IN_PROGRESS: "warning",
    OutcomeState.NOT_STARTED: "warning",
}


def report(terminal: Terminal, outcomes: Sequence[Outcome], reporter: Reporter) -> int:
    """Say it on stderr, print the document on stdout when one was asked for; returns the exit code."""
    code, outcomes = exit_code(outcomes), [placed(o, terminal.arguments) for o in outcomes]
    _say(terminal, outcomes, reporter)
    if any(o.exit_code > 128 for o in outcomes):
        terminal.complain(f"what was sent goes on without orchctl; {resume_hint(terminal.arguments)}")
    if terminal.audience:
        terminal.audience.outcomes(terminal, outcomes, code)
    if terminal.wants_document:
        _print(terminal, outcomes, reporter)
    elif terminal.output == "name":
        terminal.names(o.service for o in outcomes)
    return code


def placed(outcome: Outcome, arguments: Sequence[str]) -> Outcome:
    """The same with a hint that works when it is pasted."""
    return replace(outcome, hint=pasted(outcome.hint, arguments))


def _say(terminal: Terminal, outcomes: Sequence[Outcome], reporter: Reporter) -> None:
    if terminal.progress == "json":
        with suppress(OSError):
            for outcome in outcomes:
                if outcome.exit_code or not terminal.quiet:
                    terminal.tell(headed("Outcome", outcome_item(outcome)))
        return
    for outcome in outcomes:
        _summary(terminal, outcome, reporter)
    if len(outcomes) > 1:
        _total(terminal, outcomes)


def _print(terminal: Terminal, outcomes: Sequence[Outcome], reporter: Reporter) -> None:
    """An expression that does not fit is told; it does not change how the services are, and the exit code is about them."""
    try:
        if terminal.output == "jsonl":
            for outcome in outcomes:
                terminal.document(headed("Outcome", outcome_item(outcome)))
        else:
            items = [outcome_item(o, events=reporter.events_of(o.service)) for o in outcomes]
            terminal.document(one_or_list("Outcome", items))
    except QueryError as error:
        terminal.complain(f"--query: {error}; nothing is printed", "error")


def _summary(terminal: Terminal, outcome: Outcome, reporter: Reporter) -> None:
    facts = [outcome.state.value.replace("_", " ")]
    if outcome.revision:
        facts.append(f"revision {outcome.revision}")
    if "replicas_before" in outcome.details:
        facts.append(f"{outcome.details['replicas_before']} -> {outcome.details['replicas']} replicas")
    progress = reporter.progress_of(outcome.service)
    if progress is not None and progress.replicas and outcome.state is not OutcomeState.DELETED:
        facts.append(ready_words(progress))
    line = f"{outcome.service}: {', '.join(facts)} ({seconds(outcome.duration_ms)})"
    say = terminal.complain if outcome.exit_code else terminal.say
    say(line, _STYLES.get(outcome.state, "error"))
    if outcome.message:
        say(f"  {outcome.message}")
    for failure in outcome.failures:
        for text in failure_lines(failure):
            say(f"  {text}")
    if outcome.hint:
        say(f"  help: {outcome.hint}")


def failure_lines(failure: Failure) -> list[str]:
    """The cause, where, and the last lines of output."""
    facts = [failure.kind.value.replace("_", " ")]
    if failure.exit_code is not None and not _tells_exit_code(failure):
        facts.append(f"exit code {failure.exit_code}")
    if failure.count > 1:
        facts.append(f"{failure.count} instances")
    if failure.instance:
        facts.append(f"{failure.instance} on {failure.node}" if failure.node else failure.instance)
    return [f"{', '.join(facts)}: {failure.message}", *(f"  | {line}" for line in failure.logs[-_LOG_LINES:])]


def _tells_exit_code(failure: Failure) -> bool:
    """The backend's words have it already: ``exit code 7``, ``exited with code 7``, ``non-zero exit (7)``."""
    return bool(re.search(rf"\b(exit|code) \(?{failure.exit_code}\b", failure.message))


def _total(terminal: Terminal, outcomes: Sequence[Outcome]) -> None:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        words = outcome.state.value.replace("_", " ")
        counts[words] = counts.get(words, 0) + 1
    spent = seconds(max(o.duration_ms for o in outcomes))
    told = ", ".join(f"{count} {words}" for words, count in counts.items())
    say = terminal.complain if exit_code(outcomes) else terminal.say
    say(f"{len(outcomes)} services: {told} ({spent})")
