"""``orchctl restart``: replace every instance without changing anything."""

from __future__ import annotations

from orchctl.cli.confirm import admit
from orchctl.cli.limits import limits_of
from orchctl.cli.listeners import audience_of
from orchctl.cli.options import Consent, Files, MayForce, Named, Printing, Report, Reports, Waiting, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import announce, changing, opened
from orchctl.cli.specs import named_services
from orchctl.cli.terminal import terminal_of
from orchctl.cli.views.outcomes import report
from orchctl.core.rollout import Outcome
from orchctl.core.service import Service
from orchctl.engine.session import Session


def restart(
    where: Where,
    files: Files,
    waiting: Waiting,
    consent: Consent,
    may: MayForce,
    talk: Printing,
    reports: Reports,
    services: Named,
    output: Report = "text",
) -> int:
    """Replace every instance under the service's own rollout policy."""
    from orchctl.engine.restart import restart as restart_one
    from orchctl.engine.waves import run_all, waves

    terminal, limits = terminal_of(talk, output, audience_of("restart", reports)), limits_of(waiting)
    context = find_context(where, may)
    found = named_services(files, services, where, context)
    admit(terminal, context, consent)

    def work(own: Session, service: Service) -> Outcome:
        return restart_one(own, service.namespace, service.name, limits)

    with opened(context) as looking:
        announce(terminal, looking, found[0].namespace)
        with changing(looking, terminal, [s.name for s in found]) as (session, reporter):
            outcomes = run_all(session, waves(found), work)
    return report(terminal, outcomes, reporter)
