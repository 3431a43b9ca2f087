"""``orchctl status``: what runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchctl.cli.names import namespace_of
from orchctl.cli.options import Files, Services, Talk, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import opened
from orchctl.cli.specs import named_services
from orchctl.cli.terminal import Terminal, terminal_of

if TYPE_CHECKING:
    from orchctl.cli.render.table import Cell
    from orchctl.engine.status import ServiceStatus

Format = Annotated[
    Literal["table", "wide", "json", "yaml", "jsonl", "name"],
    typer.Option("--output", "-o", help="How to print the result; wide shows the instances."),
]

_STYLES = {
    "healthy": "green",
    "stopped": "dim",
    "progressing": "yellow",
    "pending": "yellow",
    "degraded": "yellow",
    "paused": "yellow",
    "failed": "red",
}


def status(
    where: Where,
    files: Files,
    talk: Talk,
    services: Services,
    output: Format = "table",
) -> int:
    """Show what runs in the namespace."""
    from orchctl.engine.status import status as look

    terminal = terminal_of(talk, output)
    context = find_context(where)
    asked = named_services(files, services, where, context)
    namespace = asked[0].namespace if asked else namespace_of(where, context)
    with opened(context) as session:
        found = look(session, namespace, [s.name for s in asked])
    _show(terminal, found)
    if not found:
        terminal.say(f"no services in namespace {namespace} of context {context.name}")
    return 0


def _show(terminal: Terminal, found: Sequence[ServiceStatus]) -> None:
    from orchctl.cli.render.documents import headed, listed, status_item, write_document

    if terminal.output == "jsonl":
        for status in found:
            write_document(terminal.out, headed("ServiceStatus", status_item(status)), "jsonl")
    elif terminal.wants_document:
        terminal.document(listed("ServiceStatusList", [status_item(s) for s in found]))
    elif terminal.output == "name":
        terminal.names(s.name for s in found)
    elif found:
        from orchctl.cli.render.table import short_image

        terminal.table(
            ["NAME", "PHASE", "READY", "REVISION", "IMAGE", "MESSAGE"],
            [
                [
                    s.name,
                    (s.phase.value, _STYLES[s.phase.value]),
                    ready_of(s),
                    _number(s),
                    short_image(s.image),
                    s.message,
                ]
                for s in found
            ],
        )
        if terminal.output == "wide" and (rows := [r for s in found for r in _instances(s)]):
            terminal.print("\n")
            terminal.table(["SERVICE", "INSTANCE", "NODE", "STATE", "ID"], rows)


def ready_of(status: ServiceStatus) -> str:
    """``2/3``, and how many of them run the present definition where that differs."""
    counts = f"{status.ready}/{status.wanted}"
    return counts if status.updated == status.ready else f"{counts} ({status.updated} new)"


def _number(status: ServiceStatus) -> str:
    return str(status.revision) if status.revision else "-"


def _instances(status: ServiceStatus) -> list[list[Cell]]:
    from orchctl.engine.wait import describe

    return [[status.name, i.slot or "-", i.node or "-", describe(i), i.id] for i in status.progress.instances]
