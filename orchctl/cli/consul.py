"""``orchctl consul``: what orchctl has in Consul's catalog, and what of it nobody stands behind any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import typer

from orchctl.cli.confirm import admit, confirm
from orchctl.cli.options import Consent, Printing, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import announce, changing, opened
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.core.catalogs import Dead, Stray, open_directory

Format = Annotated[Literal["table", "json", "yaml"], typer.Option("--output", "-o", help="How to print the entries.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List what would be removed, and remove nothing.")]

Row = tuple[str, str, Stray]


def ls(where: Where, talk: Printing, output: Format = "table") -> int:
    """List the entries of the context's cluster, of every namespace or of one (-n)."""
    terminal = terminal_of(talk, output)
    context = find_context(where)
    with open_directory(context) as directory:
        found = sorted(directory.stray().items())
    asked = [(owner, entries) for owner, entries in found if where.namespace in ("", owner[0])]
    rows = [(namespace, service, entry) for (namespace, service), entries in asked for entry in entries]
    _show(terminal, rows)
    if not rows:
        of = f"namespace {where.namespace}" if where.namespace else "this cluster"
        terminal.say(f"nothing of {of} is listed in {directory.words}")
    return 0


def gc(where: Where, consent: Consent, talk: Printing, dry_run: DryRun = False, output: Format = "table") -> int:
    """Remove the entries of services that do not exist any more, and nodes without entries.

    Only what orchctl made for this context's cluster; looks into every namespace that has entries, or into one (-n), and
    then leaves the nodes alone.
    """
    from orchctl.engine.operation import Limits
    from orchctl.engine.sync import bury, dead

    terminal = terminal_of(talk, output)
    context = find_context(where)
    if not dry_run:
        admit(terminal, context, consent)
    with opened(context) as looking, open_directory(context) as directory:
        announce(terminal, looking, context.namespace)
        found = dead(looking, directory, where.namespace)
        rows = list(_rows(found))
        _show(terminal, rows)
        if not rows:
            terminal.say("nothing to remove")
        elif not dry_run:
            confirm(terminal, consent, f"Remove {len(rows)} from {directory.words}?")
            with changing(looking, terminal, []) as (session, _):
                count = bury(session, directory, found, Limits(), with_nodes=not where.namespace)
            terminal.say(f"{count} removed", "good")
    return 0


def _rows(found: Sequence[Dead]) -> Iterator[Row]:
    for one in found:
        for entry in one.entries:
            yield one.namespace, one.service, entry


def _show(terminal: Terminal, rows: Sequence[Row]) -> None:
    if terminal.wants_document:
        from orchctl.cli.views.documents import listed

        items = [{"name": e.name, "namespace": n, "service": s, "place": e.place} for n, s, e in rows]
        terminal.document(listed("CatalogEntryList", items))
    elif rows:
        columns = ["NAME", "NAMESPACE", "SERVICE", "PLACE"]
        terminal.table(columns, [[e.name or "-", n or "-", s or "-", e.place] for n, s, e in rows])
