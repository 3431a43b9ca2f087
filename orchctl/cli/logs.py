"""``orchctl logs``: the output of a service."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Literal

import typer

from orchctl.cli.limits import duration
from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import OneService, Printing, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import opened
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.core.endpoint import LogLine
from orchctl.errors import NotFound

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is printed from now on.")]
Tail = Annotated[int, typer.Option("--tail", min=0, help="Only the last lines; 0 = all.")]
Since = Annotated[
    str, typer.Option("--since", metavar="DURATION", help="Only what is younger: 5m.", show_default=False)
]
OneInstance = Annotated[str, typer.Option("--instance", metavar="ID", help="Only this instance.", show_default=False)]
Format = Annotated[Literal["text", "jsonl"], typer.Option("--output", "-o", help="How to print the lines.")]


def logs(
    where: Where,
    talk: Printing,
    service: OneService,
    follow: Follow = False,
    tail: Tail = 0,
    since: Since = "",
    instance: OneInstance = "",
    output: Format = "text",
) -> int:
    """Print the output of a service's instances."""
    terminal = terminal_of(talk, output)
    context = find_context(where)
    namespace = namespace_of(where, context)
    since_ms = int(time.time() * 1000) - duration("--since", since) if since else 0
    with opened(context) as session:
        if service not in session.reader.live(namespace, [check_name(service)]):
            raise NotFound(
                f"there is no service {service!r} in namespace {namespace!r}", hint="see what there is: orchctl status"
            )
        lines = session.reader.logs(namespace, service, instance=instance, tail=tail, since_ms=since_ms, follow=follow)
        _print(terminal, lines, service)
    return 0


def _print(terminal: Terminal, lines: Iterable[LogLine], service: str) -> None:
    """Escaped for a terminal; bytes as they were for a pipe. Flushed line by line, for whoever follows."""
    from orchctl.cli.views.documents import headed
    from orchctl.cli.views.sanitise import sanitise, sanitise_lines
    from orchctl.cli.views.style import paint

    to_terminal = terminal.out.isatty()
    for line in lines:
        if terminal.wants_document:
            item = {
                "service": service,
                "instance": line.instance,
                "stream": line.stream,
                "at_ms": line.at_ms,
                "text": line.text,
            }
            terminal.document(headed("LogLine", item))
        else:
            text = sanitise_lines(line.text) if to_terminal else line.text
            name = paint(sanitise(line.instance), "dim", colour=terminal.colour_out)
            terminal.print(f"{name} | {text}\n")
        terminal.out.flush()
