"""``orchctl delete``: remove services and all that was made for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from orchctl.cli.confirm import admit, confirm
from orchctl.cli.limits import limits_of
from orchctl.cli.listeners import audience_of
from orchctl.cli.options import Consent, Files, Printing, Report, Reports, Services, Waiting, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import announce, changing, opened
from orchctl.cli.specs import named_services
from orchctl.cli.terminal import terminal_of
from orchctl.cli.views.outcomes import report
from orchctl.core.rollout import Outcome
from orchctl.core.service import Service
from orchctl.engine.session import Session
from orchctl.errors import NotFound, UsageError

KeepHistory = Annotated[bool, typer.Option("--keep-history", help="Leave the revisions.")]


def delete(
    where: Where,
    files: Files,
    waiting: Waiting,
    consent: Consent,
    talk: Printing,
    reports: Reports,
    services: Services,
    keep_history: KeepHistory = False,
    output: Report = "text",
) -> int:
    """Remove services, wait until they are gone, and leave nothing behind. In reverse order of needs with -f."""
    from orchctl.engine.delete import delete as delete_one
    from orchctl.engine.plan import one_namespace
    from orchctl.engine.waves import run_all, waves

    terminal, limits = terminal_of(talk, output, audience_of("delete", reports)), limits_of(waiting)
    context = find_context(where)
    found = named_services(files, services, where, context)
    if not found:
        raise UsageError("no service is named", hint="name the services, or their spec with -f FILE")
    one_namespace(found)
    admit(terminal, context, consent)

    def work(own: Session, service: Service) -> Outcome:
        return delete_one(own, service.namespace, service.name, limits, keep_history=keep_history)

    with opened(context) as looking:
        announce(terminal, looking, found[0].namespace)
        there = _existing(looking, found)
        if not there:
            raise _unknown(found)
        if files.file:
            found = there  # a delete that was interrupted is finished by the same command
        where_it_is = f"namespace {found[0].namespace}, context {context.name}"
        confirm(terminal, consent, f"Delete {', '.join(s.name for s in found)} ({where_it_is})?")
        with changing(looking, terminal, [s.name for s in found]) as (session, reporter):
            outcomes = run_all(session, waves(found, reverse=True), work)
    return report(terminal, outcomes, reporter)


def _existing(session: Session, services: Sequence[Service]) -> list[Service]:
    from orchctl.engine.delete import left_of

    left = left_of(session, services[0].namespace, [s.name for s in services])
    return [s for s in services if s.name in left]


def _unknown(services: Sequence[Service]) -> NotFound:
    names = ", ".join(repr(s.name) for s in services)
    return NotFound(
        f"there is no service {names} in namespace {services[0].namespace!r}", hint="see what there is: orchctl status"
    )
