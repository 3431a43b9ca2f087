"""``orchctl deploy``: make services run as the spec says, and wait until they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from orchctl.cli.confirm import admit
from orchctl.cli.limits import limits_of
from orchctl.cli.listeners import audience_of
from orchctl.cli.options import (
    Consent,
    Files,
    MayCreate,
    Printing,
    Reason,
    Report,
    Reports,
    Services,
    Strict,
    Waiting,
    Where,
)
from orchctl.cli.place import find_context
from orchctl.cli.session import announce, changing, opened
from orchctl.cli.specs import load_services, say_passed_over
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.cli.views.outcomes import report
from orchctl.core.context import Context
from orchctl.core.plan import Plan
from orchctl.core.rollout import Outcome
from orchctl.core.service import Service
from orchctl.engine.rollout import DeployOptions
from orchctl.engine.session import Session
from orchctl.errors import UsageError

SavedPlan = Annotated[
    str, typer.Option("--plan", metavar="FILE", help="Deploy a saved plan; refused when stale.", show_default=False)
]
SourceSeq = Annotated[
    int | None,
    typer.Option(
        "--source-seq",
        metavar="NUMBER",
        min=0,
        help="Number of this build (CI run, commit time); refused when a higher one was deployed.",
        show_default=False,
    ),
]
AllowOlder = Annotated[bool, typer.Option("--allow-older", help="Deploy although a higher --source-seq was deployed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]


def deploy(
    where: Where,
    files: Files,
    waiting: Waiting,
    consent: Consent,
    may: MayCreate,
    talk: Printing,
    reports: Reports,
    services: Services,
    plan: SavedPlan = "",
    dry_run: DryRun = False,
    strict: Strict = False,
    reason: Reason = "",
    source_seq: SourceSeq = None,
    allow_older: AllowOlder = False,
    output: Report = "text",
) -> int:
    """Make services run as the spec says, and wait until they do."""
    terminal = terminal_of(talk, output, audience_of("deploy", reports))
    if dry_run and reports:
        raise UsageError("--dry-run has no outcome to report", hint="orchctl plan --report markdown=FILE")
    options = DeployOptions(
        limits=limits_of(waiting), reason=reason, strict=strict, source_seq=source_seq, allow_older=allow_older
    )
    kept, where = _kept(plan, files, services, where) if plan else ([], where)
    context = find_context(where, may)
    saved = _saved(kept, context)
    found = [_written(p) for p in saved.values()] if plan else load_services(files, services, where, context)
    say_passed_over(terminal, files)
    if dry_run:
        return _show(terminal, context, found, strict=strict)
    admit(terminal, context, consent)
    with opened(context) as looking:
        announce(terminal, looking, found[0].namespace)
        with changing(looking, terminal, [s.name for s in found]) as (session, reporter):
            outcomes = _deploy_saved(session, found, saved, options) if saved else _deploy(session, found, options)
    return report(terminal, outcomes, reporter)


def _deploy(session: Session, services: Sequence[Service], options: DeployOptions) -> list[Outcome]:
    from orchctl.engine.waves import deploy_services

    return deploy_services(session, services, options)


def _deploy_saved(
    session: Session, services: Sequence[Service], saved: dict[str, Plan], options: DeployOptions
) -> list[Outcome]:
    from orchctl.engine.deploy import deploy as deploy_one
    from orchctl.engine.waves import run_all, waves

    def work(own: Session, service: Service) -> Outcome:
        return deploy_one(own, service, replace(options, saved=saved[service.name]))

    return run_all(session, waves(services), work)


def _show(terminal: Terminal, context: Context, services: Sequence[Service], *, strict: bool) -> int:
    from orchctl.cli.planning import show_plans
    from orchctl.engine.plan import plan_services

    with opened(context) as session:
        show_plans(terminal, [p.plan for p in plan_services(session, services, strict=strict)])
    return 0


def _kept(file: str, files: Files, names: Sequence[str], where: Where) -> tuple[list[Plan], Where]:
    from orchctl.cli.planning import read_plans

    if files != Files() or names:
        raise UsageError("--plan has everything in it: it takes no services and no spec files")
    plans, where = read_plans(file, where)
    if not plans:
        raise UsageError(f"the plan {file} has no services")
    return plans, where


def _saved(plans: Sequence[Plan], context: Context) -> dict[str, Plan]:
    for plan in plans:
        if (plan.backend, plan.context) != (context.backend, context.name):
            raise UsageError(
                f"the plan was made for {plan.backend} (context {plan.context}), not for {context.backend} (context {context.name})",
                hint="without --context and --backend it goes where it was made for",
            )
    return {p.service.name: p for p in plans}


def _written(plan: Plan) -> Service:
    """The service as the spec had it: the plan holds the count that was to be sent."""
    return replace(plan.service, replicas=plan.written_replicas)
