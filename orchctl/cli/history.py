"""``orchctl history``: the revisions of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import OneService, Printing, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import opened
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.cli.views.table import short_image
from orchctl.core.document import image_reference
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.errors import NotFound

Format = Annotated[
    Literal["table", "wide", "json", "yaml", "jsonl"],
    typer.Option("--output", "-o", help="How to print the result; wide tells same specs by their digits."),
]

_DIGITS = 12  # of a hash: enough to see which are the same

_STYLES = {
    RevisionStatus.PENDING: "yellow",
    RevisionStatus.DEPLOYED: "green",
    RevisionStatus.SUPERSEDED: "dim",
    RevisionStatus.FAILED: "red",
    RevisionStatus.ROLLED_BACK: "red",
}


def history(where: Where, talk: Printing, service: OneService, output: Format = "table") -> int:
    """Show the kept revisions of a service, newest first."""
    from orchctl.cli.views.documents import headed, listed, revision_item
    from orchctl.engine.history import Records

    terminal = terminal_of(talk, output)
    context = find_context(where)
    namespace = namespace_of(where, context)
    with opened(context) as session:
        records = Records(session.store, namespace, check_name(service)).newest_first()
    if not records:
        raise NotFound(
            f"no revisions of {service!r} in namespace {namespace!r}", hint="see what there is: orchctl status"
        )
    if terminal.output == "jsonl":
        for recorded in records:
            terminal.document(headed("Revision", revision_item(recorded)))
    elif terminal.wants_document:
        terminal.document(listed("RevisionList", [revision_item(r) for r in records]))
    else:
        _table(terminal, records)
    return 0


def _table(terminal: Terminal, records: Sequence[Recorded]) -> None:
    """``wide``: the hashes of the spec and of what decides how an instance runs; the build's number always has its column."""
    wide = terminal.output == "wide"
    numbered = wide or any(r.source_seq is not None for r in records)
    columns = ["REVISION", "STATUS", "CREATED", "BY", *(["SOURCE"] if numbered else []), "IMAGE", "REPLICAS", "REASON"]
    terminal.table(
        [*columns, *(["SPEC", "TEMPLATE"] if wide else [])],
        [[*_row(r, numbered=numbered), *(_hashes(r) if wide else [])] for r in records],
        narrow=() if wide else ("REVISION", "STATUS", "REASON"),
    )


def _hashes(recorded: Recorded) -> list[str]:
    revision = recorded.revision
    return [revision.spec_hash[:_DIGITS], revision.template_hash[:_DIGITS]]


def _row(recorded: Recorded, *, numbered: bool) -> list[str | tuple[str, str]]:
    revision = recorded.revision
    replicas = str(revision.replicas)
    if recorded.replicas_override is not None:
        replicas += f" (now {recorded.replicas_override})"
    return [
        str(revision.number),
        (recorded.status.value.replace("_", " "), _STYLES[recorded.status]),
        revision.created_at or "-",
        revision.created_by or "-",
        *([_source(recorded)] if numbered else []),
        short_image(image_reference(revision.service) or "-"),
        replicas,
        _reason(recorded),
    ]


def _source(recorded: Recorded) -> str:
    return "-" if recorded.source_seq is None else str(recorded.source_seq)


def _reason(recorded: Recorded) -> str:
    revision = recorded.revision
    parts = [
        f"rollback to {revision.rollback_of}" if revision.rollback_of else "",
        revision.reason,
        recorded.note,
    ]
    return "; ".join(p for p in parts if p)
