"""``orchctl plan``: what a deploy would change."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from orchctl.cli.listeners import audience_of
from orchctl.cli.options import Files, Printing, Services, Strict, Where, report_option
from orchctl.cli.place import find_context
from orchctl.cli.specs import load_services, say_passed_over
from orchctl.cli.terminal import terminal_of
from orchctl.errors import EXIT_CHANGES_PENDING

Out = Annotated[
    str, typer.Option("--out", metavar="FILE", help="Save it for: orchctl deploy --plan FILE.", show_default=False)
]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit 3 when changes are pending.")]
Written = Annotated[list[str], report_option("markdown")]
Format = Annotated[
    Literal["text", "json", "yaml", "name"], typer.Option("--output", "-o", help="How to print the result.")
]


def plan(
    where: Where,
    files: Files,
    talk: Printing,
    reports: Written,
    services: Services,
    out: Out = "",
    exit_code: ExitCode = False,
    strict: Strict = False,
    output: Format = "text",
) -> int:
    """Show what a deploy would change. Reads only."""
    from orchctl.cli.planning import is_pending, save_plans, show_plans
    from orchctl.cli.session import opened
    from orchctl.engine.plan import plan_services

    terminal = terminal_of(talk, output, audience_of("plan", reports))
    context = find_context(where)
    found = load_services(files, services, where, context)
    say_passed_over(terminal, files)
    with opened(context) as session:
        planned = plan_services(session, found, strict=strict)
    plans = [p.plan for p in planned]
    if terminal.audience:
        terminal.audience.plans(terminal, plans)
    if out:
        from shlex import quote

        save_plans(out, plans, where)
        terminal.say(f"saved to {out}; deploy it with: orchctl deploy --plan {quote(out)}")
    show_plans(terminal, plans)
    return EXIT_CHANGES_PENDING if exit_code and is_pending(planned) else 0
