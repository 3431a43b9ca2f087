"""``orchctl sync``: the catalog as it should be, once or for as long as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import Printing, Report, Services, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import announce, changing, opened
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.cli.views.outcomes import report
from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.engine.session import Session
from orchctl.errors import Interrupted, OrchctlError, UsageError

Watch = Annotated[bool, typer.Option("--watch", help="Go on, and publish every change, until a signal.")]

SHORTEST_PAUSE_S = 1.0
_WATCHED = ("text", "jsonl")


def sync(where: Where, talk: Printing, services: Services, watch: Watch = False, output: Report = "text") -> int:
    """Publish what runs in the context's catalog, and withdraw what does not.

    Compares the named services, or all of the namespace, with what is listed, and writes only what differs. A service
    that somebody deploys at this moment is left to that deploy.

    \b
    Exit code: 0 when the catalog is as it should be; 11 when some services
    could not be published; otherwise that of the failure.
    """
    if watch and output not in _WATCHED:
        raise UsageError(f"--watch does not go with -o {output}", hint=f"it goes with: {', '.join(_WATCHED)}")
    if watch and talk.query is not None and output != "jsonl":
        raise UsageError("--watch prints documents with -o jsonl only", hint="add -o jsonl, or leave out --query")
    terminal = terminal_of(talk, output)
    context = find_context(where)
    namespace, names = namespace_of(where, context), [check_name(name) for name in dict.fromkeys(services)]
    with opened(context) as looking:
        announce(terminal, looking, namespace)
        with changing(looking, terminal, names) as (session, reporter):
            if watch:
                _watch(terminal, session, namespace, names)
            outcomes = _once(session, namespace, names)
    if not outcomes:
        terminal.say(
            f"no services in namespace {namespace} of context {context.name}, and nothing of them in the catalog"
        )
    return report(terminal, outcomes, reporter)


def _once(session: Session, namespace: str, names: Sequence[str]) -> list[Outcome]:
    from orchctl.engine.operation import Limits
    from orchctl.engine.sync import sync as look_and_publish

    return look_and_publish(session, namespace, names, Limits())


def _watch(terminal: Terminal, session: Session, namespace: str, names: Sequence[str]) -> None:
    """Until Interrupted. What fails is told once, and tried again more and more slowly."""
    from orchctl.engine.wait import Pace

    pace, trouble = Pace(session.clock), ""
    while True:
        try:
            outcomes = _once(session, namespace, names)
            now, nap = _trouble_of(outcomes), pace.after_look()
            _show(terminal, outcomes)
        except Interrupted:
            raise
        except OrchctlError as error:
            now, nap = f"{error}; trying again", pace.after_failure()
        if now and now != trouble:
            terminal.complain(now, "error")
        trouble = now
        session.clock.sleep(max(SHORTEST_PAUSE_S, nap))


def _trouble_of(outcomes: Sequence[Outcome]) -> str:
    return "; ".join(f"{o.service}: {o.message}" for o in outcomes if o.exit_code)


def _show(terminal: Terminal, outcomes: Sequence[Outcome]) -> None:
    if terminal.output == "jsonl":
        from orchctl.cli.views.documents import headed, outcome_item
        from orchctl.cli.views.outcomes import placed

        for outcome in outcomes:
            if outcome.state is not OutcomeState.UNCHANGED:
                terminal.document(headed("Outcome", outcome_item(placed(outcome, terminal.arguments))))
