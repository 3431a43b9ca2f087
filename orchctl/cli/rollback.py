"""``orchctl rollback``: go back to an earlier revision."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from orchctl.cli.confirm import admit, confirm
from orchctl.cli.limits import limits_of
from orchctl.cli.listeners import audience_of
from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import Consent, MayCreate, OneService, Printing, Reason, Report, Reports, Waiting, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import announce, changing, opened
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.cli.views.outcomes import report
from orchctl.engine.rollback import Rollback

To = Annotated[
    int | None,
    typer.Option("--to", metavar="REVISION", min=1, help="Default: the last good one before.", show_default=False),
]


def rollback(
    where: Where,
    waiting: Waiting,
    consent: Consent,
    may: MayCreate,
    talk: Printing,
    reports: Reports,
    service: OneService,
    to: To = None,
    reason: Reason = "",
    output: Report = "text",
) -> int:
    """Go back to a kept revision: shows the plan, then deploys it as a new revision."""
    from orchctl.engine.rollback import plan_rollback
    from orchctl.engine.rollback import rollback as go_back

    terminal, limits = terminal_of(talk, output, audience_of("rollback", reports)), limits_of(waiting)
    context = find_context(where, may)
    namespace = namespace_of(where, context)
    admit(terminal, context, consent)
    with opened(context) as looking:
        announce(terminal, looking, namespace)
        target = plan_rollback(looking, namespace, check_name(service), to=to)
        _show(terminal, target)
        if not target.planned.is_unchanged:
            confirm(terminal, consent, f"Go back to revision {target.target.revision.number} of {service}?")
        with changing(looking, terminal, [service]) as (session, reporter):
            outcome = go_back(session, target, limits, reason=reason)
    return report(terminal, [outcome], reporter)


def _show(terminal: Terminal, target: Rollback) -> None:
    """On stderr: stdout is for the outcome."""
    from orchctl.cli.views.documents import headed, plan_item
    from orchctl.cli.views.plan import plan_lines

    if terminal.quiet:
        return
    revision = target.target.revision
    terminal.say(f"back to revision {revision.number} of {revision.created_at} by {revision.created_by}:")
    with suppress(OSError):  # nobody needs to see it
        if terminal.progress == "json":
            terminal.tell(headed("Plan", plan_item(target.planned.plan)))
            return
        terminal.err.write("\n".join(plan_lines(target.planned.plan, colour=terminal.colour_err)) + "\n")
        terminal.err.flush()
