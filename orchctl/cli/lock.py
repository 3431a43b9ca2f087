"""``orchctl lock``: show or break the lease of a service."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from orchctl.cli.confirm import admit, confirm
from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import Consent, OneService, Printing, Services, Talk, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import announce, opened
from orchctl.cli.terminal import terminal_of

Format = Annotated[Literal["table", "json", "yaml"], typer.Option("--output", "-o", help="How to print the result.")]


def show(
    where: Where,
    talk: Printing,
    services: Services,
    output: Format = "table",
) -> int:
    """Show who is changing services now."""
    from orchctl.cli.views.documents import listed
    from orchctl.engine.history import load_namespace

    terminal = terminal_of(talk, output)
    context = find_context(where)
    namespace = namespace_of(where, context)
    with opened(context) as session:
        _, leases = load_namespace(session.store, namespace)
    found = {name: lease for name, lease in sorted(leases.items()) if not services or name in services}
    if terminal.wants_document:
        terminal.document(
            listed(
                "LockList",
                [
                    {
                        "service": name,
                        "namespace": namespace,
                        "user": lease.user,
                        "host": lease.host,
                        "pid": lease.pid,
                        "command": lease.command,
                        "acquired_at": lease.acquired_at,
                    }
                    for name, lease in found.items()
                ],
            )
        )
    elif found:
        terminal.table(
            ["SERVICE", "HOLDER", "PID", "SINCE", "COMMAND"],
            [[name, f"{i.user}@{i.host}", i.pid, i.acquired_at, i.command] for name, i in found.items()],
        )
    else:
        terminal.say(f"nothing is locked in namespace {namespace} of context {context.name}")
    return 0


def break_(where: Where, consent: Consent, talk: Talk, service: OneService) -> int:
    """Take the lock from whoever holds it; a deployer that still runs stops before its next write."""
    from orchctl.engine.history import load_namespace
    from orchctl.engine.lease import break_lease

    terminal = terminal_of(talk, "text")
    context = find_context(where)
    namespace = namespace_of(where, context)
    admit(terminal, context, consent)
    with opened(context) as session:
        announce(terminal, session, namespace)
        holder = load_namespace(session.store, namespace)[1].get(check_name(service))
        if holder is None:
            terminal.say(f"{service} is not locked")
            return 0
        confirm(terminal, consent, f"Break the lock of {service}, held by {holder}?")
        former = break_lease(session.store, namespace, service)
    terminal.say(f"{service}: the lock of {former} is broken" if former else f"{service} is not locked any more")
    return 0
