"""``orchctl discover``: where services can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import Named, Printing, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import opened
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint
from orchctl.errors import PartialFailure, UsageError

if TYPE_CHECKING:
    from orchctl.cli.found import Placed

Format = Annotated[
    Literal[
        "table",
        "wide",
        "json",
        "yaml",
        "jsonl",
        "name",
        "hosts",
        "env",
        "srv",
        "prom-sd",
        "haproxy",
        "nginx",
        "traefik",
    ],
    typer.Option("--output", "-o", help="How to print the endpoints, also for other tools."),
]
_COLUMNS = ["SERVICE", "PORT", "ADDRESS", "READY", "REVISION", "INSTANCE", "NODE"]
_WATCHED = ("table", "wide", "jsonl", "name")
Source = Annotated[
    Literal["context", "catalog", "all"],
    typer.Option(
        "--from",
        help="Ask the context, its catalog (by the names that clients ask for), or every context and the catalog.",
    ),
]
Watch = Annotated[bool, typer.Option("--watch", help="With --from catalog: print again as soon as something changes.")]
Dns = Annotated[bool, typer.Option("--dns", help="Ask the catalog's DNS, and show what a client gets.")]
ReadyOnly = Annotated[bool, typer.Option("--ready", help="Only endpoints that may receive traffic.")]
Instances = Annotated[bool, typer.Option("--instances", help="Only endpoints of single instances.")]
Shared = Annotated[
    bool, typer.Option("--shared", help="Only endpoints of the service as a whole: node ports, load balancers.")
]


def discover(
    where: Where,
    talk: Printing,
    services: Named,
    ready: ReadyOnly = False,
    instances: Instances = False,
    shared: Shared = False,
    from_: Source = "context",
    watch: Watch = False,
    dns: Dns = False,
    output: Format = "table",
) -> int:
    """Print where services can be reached.

    The formats for other tools have ready endpoints only, and for each port either those of the instances or,
    where there are none, those of the service as a whole; --instances and --shared choose.

    --from catalog asks the context's catalog for a name and shows everything under it, whoever made it; --from all
    asks every context of the configuration, too. --dns shows the records that a client gets from the catalog's DNS.
    """
    chosen = _Choice(ready=ready, instances=instances, shared=shared)
    _refuse_nonsense(chosen, from_, output, services, watch=watch, dns=dns)
    terminal = terminal_of(talk, output)
    context = find_context(where)
    names = [check_name(name) for name in dict.fromkeys(services)]
    if dns or watch:
        from orchctl.cli import found

        if watch:
            return found.watch(terminal, context, names[0], lambda now: _show_again(terminal, chosen.of(now)))
        found.resolve(terminal, context, names)
        return 0
    placed, missing = _find(terminal, context, where, names, from_)
    if missing:
        from orchctl.cli.views.endpoints import FORMATS

        if output in FORMATS:
            raise _incomplete(missing)
    kept = chosen.of(placed)
    _show(terminal, kept, by_context=from_ != "context")
    if from_ == "catalog" and output in ("table", "wide"):
        from orchctl.cli.found import say_names

        say_names(terminal, context, names)
    if not placed:
        terminal.say("no endpoints: nothing runs, or the spec has no ports" if from_ == "context" else "no endpoints")
    elif not kept:
        terminal.say(f"none of {len(placed)} endpoints is of the kind that was asked for")
    return 0


def _incomplete(missing: Sequence[str]) -> PartialFailure:
    names = ", ".join(missing)
    text = f"not every context could be looked at ({names}); a file with a part of the endpoints would cut off the rest"
    return PartialFailure(text, hint="see why: orchctl doctor")


@dataclass(frozen=True)
class _Choice:
    """Which endpoints are printed."""

    ready: bool
    instances: bool
    shared: bool

    def of(self, placed: Sequence[Placed]) -> list[Placed]:
        return [p for p in placed if (p.endpoint.ready or not self.ready) and self._is_of_kind(p.endpoint)]

    def _is_of_kind(self, endpoint: Endpoint) -> bool:
        return not endpoint.instance if self.shared else bool(endpoint.instance) or not self.instances


def _refuse_nonsense(
    chosen: _Choice, source: str, output: str, services: Sequence[str], *, watch: bool, dns: bool
) -> None:
    if chosen.instances and chosen.shared:
        raise UsageError("--instances and --shared exclude each other", hint="leave both out to see all endpoints")
    if watch and (source != "catalog" or dns or len(services) != 1):
        raise UsageError("--watch is for one name of the catalog", hint="orchctl discover NAME --from catalog --watch")
    if watch and output not in _WATCHED:
        raise UsageError(f"--watch does not go with -o {output}", hint=f"it goes with: {', '.join(_WATCHED)}")
    if dns and output not in ("table", "json", "yaml"):
        raise UsageError(f"--dns does not go with -o {output}", hint="it goes with: table, json, yaml")


def _find(
    terminal: Terminal, context: Context, where: Where, names: Sequence[str], source: str
) -> tuple[list[Placed], list[str]]:
    """What there is, and the contexts that could not be looked at."""
    from orchctl.cli import found

    if source == "catalog":
        return found.in_catalog(context, names), []
    if source == "all":
        return found.everywhere(terminal, context, where, names)
    from orchctl.engine.discover import discover as find

    namespace = namespace_of(where, context)
    with opened(context) as session:
        listed = [e for name in names for e in find(session, namespace, name)]
    return [found.Placed(e, context.backend, context.name) for e in listed], []


def _show_again(terminal: Terminal, placed: Sequence[Placed]) -> None:
    """One picture after another, each whole: in a stream one document each, so that what is gone is not missed."""
    from orchctl.cli.views.documents import endpoint_item, listed

    if terminal.wants_document:
        items = [endpoint_item(p.endpoint, backend=p.backend, context=p.context) for p in placed]
        terminal.document(listed("EndpointList", items))
        return
    _show(terminal, placed, by_context=True)
    if not placed:
        terminal.say("no endpoints")


def _show(terminal: Terminal, placed: Sequence[Placed], *, by_context: bool) -> None:
    from orchctl.cli.views.documents import endpoint_item, headed, listed
    from orchctl.cli.views.endpoints import FORMATS, address, one_kind_a_port

    items = [endpoint_item(p.endpoint, backend=p.backend, context=p.context) for p in placed]
    found = [p.endpoint for p in placed]
    if terminal.output == "jsonl":
        for item in items:
            terminal.document(headed("Endpoint", item))
    elif terminal.wants_document:
        terminal.document(listed("EndpointList", items))
    elif terminal.output == "name":
        terminal.names(address(e) for e in found)
    elif terminal.output in FORMATS:
        clusters = dict.fromkeys(p.context for p in placed)
        kept = [one_kind_a_port([p.endpoint for p in placed if p.context == cluster]) for cluster in clusters]
        terminal.print(FORMATS[terminal.output]([e for found in kept for e in found]))
    elif found:
        _table(terminal, placed, by_context=by_context)
        for service, name in sorted({(e.service, e.dns_name) for e in found if e.dns_name}):
            terminal.say(f"inside its network {service} is called {name}")


def _table(terminal: Terminal, placed: Sequence[Placed], *, by_context: bool) -> None:
    wide = terminal.output == "wide"
    more = [*(["CONTEXT"] if by_context else []), *(["WEIGHT", "NAME INSIDE"] if wide else [])]
    rows = [
        [
            *_row(p.endpoint),
            *([p.context or "-"] if by_context else []),
            *([str(p.endpoint.weight), p.endpoint.dns_name or "-"] if wide else []),
        ]
        for p in placed
    ]
    terminal.table([*_COLUMNS, *more], rows, narrow=() if wide else ("PORT", "ADDRESS", "READY"))
    terminal.out.flush()


def _row(endpoint: Endpoint) -> list[str | tuple[str, str]]:
    return [
        endpoint.service,
        f"{endpoint.port_name}/{endpoint.protocol.value}",
        f"[{endpoint.host}]:{endpoint.port}" if ":" in endpoint.host else f"{endpoint.host}:{endpoint.port}",
        ("yes", "green") if endpoint.ready else ("no", "yellow"),
        str(endpoint.revision) if endpoint.revision else "-",
        endpoint.instance or "-",
        endpoint.node or "-",
    ]
