"""``orchctl scale``: change how many instances run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from orchctl.cli.confirm import admit, confirm
from orchctl.cli.limits import limits_of
from orchctl.cli.listeners import audience_of
from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import Consent, MayForce, Printing, Report, Reports, Waiting, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import announce, changing, opened
from orchctl.cli.terminal import terminal_of
from orchctl.cli.views.outcomes import report
from orchctl.core.rollout import Outcome
from orchctl.core.service import Service
from orchctl.engine.scale import ScaleTarget, parse_target
from orchctl.engine.session import Session
from orchctl.errors import UsageError

Targets = Annotated[
    list[str],
    typer.Argument(metavar="SERVICE=COUNT", help="web=5, api=+2, worker=-1, batch=50%.", show_default=False),
]


def scale(
    where: Where,
    waiting: Waiting,
    consent: Consent,
    may: MayForce,
    talk: Printing,
    reports: Reports,
    targets: Targets,
    output: Report = "text",
) -> int:
    """Change how many instances run, and wait until they do."""
    from orchctl.engine.scale import scale as scale_one
    from orchctl.engine.waves import run_all

    terminal = terminal_of(talk, output, audience_of("scale", reports))
    limits, wanted = limits_of(waiting), _parse(targets)
    context = find_context(where, may)
    namespace = namespace_of(where, context)
    admit(terminal, context, consent)

    def work(own: Session, service: Service) -> Outcome:
        return scale_one(own, namespace, service.name, wanted[service.name], limits)

    with opened(context) as looking:
        announce(terminal, looking, namespace)
        if stopping := _stopping(looking, namespace, wanted):
            confirm(terminal, consent, f"Stop every instance of {', '.join(stopping)}?")
        with changing(looking, terminal, [*wanted]) as (session, reporter):
            services = [Service(name=name, namespace=namespace) for name in wanted]
            outcomes = run_all(session, [services], work)
    return report(terminal, outcomes, reporter)


def _parse(targets: Sequence[str]) -> dict[str, ScaleTarget]:
    wanted: dict[str, ScaleTarget] = {}
    for text in targets:
        name, equals, count = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{text!r} is not SERVICE=COUNT", hint="write for example: orchctl scale web=5 api=+2")
        if name in wanted:
            raise UsageError(f"service {name!r} is named twice")
        wanted[check_name(name)] = parse_target(count)
    return wanted


def _stopping(session: Session, namespace: str, wanted: Mapping[str, ScaleTarget]) -> list[str]:
    """The services that run now and would not any more."""
    live = session.reader.live(namespace, list(wanted))
    return [n for n, target in wanted.items() if n in live and live[n].replicas and not target.of(live[n].replicas)]
