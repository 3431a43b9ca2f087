"""``orchctl status``: what runs."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchctl.cli.limits import duration
from orchctl.cli.names import namespace_of
from orchctl.cli.options import Files, Printing, Services, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import opened
from orchctl.cli.specs import named_services
from orchctl.cli.terminal import NARROW, Terminal, terminal_of
from orchctl.cli.views.sanitise import sanitise
from orchctl.errors import NotFound, UsageError

if TYPE_CHECKING:
    from orchctl.cli.views.table import Cell
    from orchctl.engine.session import Session
    from orchctl.engine.status import ServiceStatus

Format = Annotated[
    Literal["table", "wide", "json", "yaml", "jsonl", "name"],
    typer.Option("--output", "-o", help="How to print the result; wide shows the instances."),
]

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Look again and again; Ctrl-C ends it.")]
Interval = Annotated[str, typer.Option("--interval", metavar="DURATION", help="With --watch: how often.")]

_SHORTEST_MS = 100
_WATCHED = ("table", "wide", "jsonl")

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
    talk: Printing,
    services: Services,
    watch: Watch = False,
    interval: Interval = "2s",
    output: Format = "table",
) -> int:
    """Show what runs in the namespace.

    --watch draws the table again in its place; into a pipe it prints it again when something has changed, and
    with -o jsonl one line for each service that has changed.
    """
    from orchctl.engine.status import status as look

    every_ms = _interval(interval, output) if watch else 0
    terminal = terminal_of(talk, output)
    context = find_context(where)
    asked = named_services(files, services, where, context)
    namespace = asked[0].namespace if asked else namespace_of(where, context)
    with opened(context) as session:
        names = [s.name for s in asked]
        if watch:
            return _watch(terminal, session, namespace, names, every_ms)
        found = look(session, namespace, names)
    _show(terminal, found)
    if not found:
        terminal.say(f"no services in namespace {namespace} of context {context.name}")
    return 0


def _interval(text: str, output: str) -> int:
    if output not in _WATCHED:
        raise UsageError(f"--watch does not go with -o {output}", hint=f"it goes with: {', '.join(_WATCHED)}")
    every_ms = duration("--interval", text)
    if every_ms < _SHORTEST_MS:
        raise UsageError(f"--interval: {text} is too short", hint=f"at least {_SHORTEST_MS}ms")
    return every_ms


def _watch(terminal: Terminal, session: Session, namespace: str, names: Sequence[str], every_ms: int) -> int:
    from orchctl.cli.watch import watch
    from orchctl.engine.status import status as look

    first = look(session, namespace, names)  # names that are wrong end it; what is deleted later does not

    def again() -> Sequence[ServiceStatus]:
        try:
            return look(session, namespace, names)
        except NotFound:
            return [s for s in look(session, namespace) if s.name in names]

    return watch(terminal, session.clock, first, again, _show, every_ms=every_ms)


def _show(terminal: Terminal, found: Sequence[ServiceStatus]) -> None:
    from orchctl.cli.views.documents import headed, listed, status_item

    if terminal.output == "jsonl":
        for status in found:
            terminal.document(headed("ServiceStatus", status_item(status)))
    elif terminal.wants_document:
        terminal.document(listed("ServiceStatusList", [status_item(s) for s in found]))
    elif terminal.output == "name":
        terminal.names(s.name for s in found)
    elif found:
        _table(terminal, found)
        if terminal.output == "wide" and (rows := [r for s in found for r in _instances(s)]):
            terminal.print("\n")
            terminal.table(["SERVICE", "INSTANCE", "NODE", "STATE", "ID"], rows)


def _table(terminal: Terminal, found: Sequence[ServiceStatus]) -> None:
    from orchctl.cli.views.table import short_image

    columns = ["NAME", "PHASE", "READY", "REVISION", "IMAGE", "MESSAGE"]
    rows: list[list[Cell]] = [
        [s.name, (s.phase.value, _STYLES[s.phase.value]), ready_of(s), _number(s), short_image(s.image), s.message]
        for s in found
    ]
    if terminal.width >= NARROW:
        terminal.table(columns, rows)
        return
    terminal.table(columns[:3], [row[:3] for row in rows])  # and messages stand below
    told = [f"{s.name}: {s.message}" for s in found if s.message]
    terminal.print("".join(f"{line}\n" for text in told for line in wrap(sanitise(text), terminal.width)))


def ready_of(status: ServiceStatus) -> str:
    """``2/3``, and how many of them run the present definition where that differs."""
    counts = f"{status.ready}/{status.wanted}"
    return counts if status.updated == status.ready else f"{counts} ({status.updated} new)"


def _number(status: ServiceStatus) -> str:
    return str(status.revision) if status.revision else "-"


def _instances(status: ServiceStatus) -> list[list[Cell]]:
    from orchctl.engine.wait import describe

    return [[status.name, i.slot or "-", i.node or "-", describe(i), i.id] for i in status.progress.instances]
