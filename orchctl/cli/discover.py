"""``orchctl discover``: where services can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import Named, Talk, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import opened
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint

Format = Annotated[
    Literal["table", "json", "yaml", "jsonl", "name", "hosts", "env", "srv", "prom-sd", "haproxy", "nginx", "traefik"],
    typer.Option("--output", "-o", help="How to print the endpoints, also for other tools."),
]
ReadyOnly = Annotated[bool, typer.Option("--ready", help="Only endpoints that may receive traffic.")]


def discover(where: Where, talk: Talk, services: Named, ready: ReadyOnly = False, output: Format = "table") -> int:
    """Print where services can be reached."""
    from orchctl.engine.discover import discover as find

    terminal = terminal_of(talk, output)
    context = find_context(where)
    namespace = namespace_of(where, context)
    with opened(context) as session:
        found = [e for name in dict.fromkeys(services) for e in find(session, namespace, check_name(name))]
    _show(terminal, context, [e for e in found if e.ready or not ready])
    if not found:
        terminal.say("no endpoints: nothing runs, or the spec has no ports")
    return 0


def _show(terminal: Terminal, context: Context, found: Sequence[Endpoint]) -> None:
    from orchctl.cli.render.documents import endpoint_item, headed, listed, write_document
    from orchctl.cli.render.endpoints import FORMATS, address

    items = [endpoint_item(e, backend=context.backend, context=context.name) for e in found]
    if terminal.output == "jsonl":
        for item in items:
            write_document(terminal.out, headed("Endpoint", item), "jsonl")
    elif terminal.wants_document:
        terminal.document(listed("EndpointList", items))
    elif terminal.output == "name":
        terminal.names(address(e) for e in found)
    elif terminal.output in FORMATS:
        terminal.print(FORMATS[terminal.output](found))
    elif found:
        terminal.table(
            ["SERVICE", "PORT", "ADDRESS", "READY", "REVISION", "INSTANCE", "NODE"], [_row(e) for e in found]
        )


def _row(endpoint: Endpoint) -> list[str | tuple[str, str]]:
    return [
        endpoint.service,
        f"{endpoint.port_name}/{endpoint.protocol.value}",
        f"{endpoint.host}:{endpoint.port}",
        ("yes", "green") if endpoint.ready else ("no", "yellow"),
        str(endpoint.revision) if endpoint.revision else "-",
        endpoint.instance or "-",
        endpoint.node or "-",
    ]
