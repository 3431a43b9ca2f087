"""``orchctl history``: the revisions of a service."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import OneService, Talk, Where
from orchctl.cli.place import find_context
from orchctl.cli.render.table import short_image
from orchctl.cli.session import opened
from orchctl.cli.terminal import terminal_of
from orchctl.core.document import image_reference
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.errors import NotFound

Format = Annotated[
    Literal["table", "json", "yaml", "jsonl"], typer.Option("--output", "-o", help="How to print the result.")
]

_STYLES = {
    RevisionStatus.PENDING: "yellow",
    RevisionStatus.DEPLOYED: "green",
    RevisionStatus.SUPERSEDED: "dim",
    RevisionStatus.FAILED: "red",
    RevisionStatus.ROLLED_BACK: "red",
}


def history(where: Where, talk: Talk, service: OneService, output: Format = "table") -> int:
    """Show the kept revisions of a service, newest first."""
    from orchctl.cli.render.documents import headed, listed, revision_item, write_document
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
            write_document(terminal.out, headed("Revision", revision_item(recorded)), "jsonl")
    elif terminal.wants_document:
        terminal.document(listed("RevisionList", [revision_item(r) for r in records]))
    else:
        terminal.table(
            ["REVISION", "STATUS", "CREATED", "BY", "IMAGE", "REPLICAS", "REASON"], [_row(r) for r in records]
        )
    return 0


def _row(recorded: Recorded) -> list[str | tuple[str, str]]:
    revision = recorded.revision
    replicas = str(revision.replicas)
    if recorded.replicas_override is not None:
        replicas += f" (now {recorded.replicas_override})"
    return [
        str(revision.number),
        (recorded.status.value.replace("_", " "), _STYLES[recorded.status]),
        revision.created_at or "-",
        revision.created_by or "-",
        short_image(image_reference(revision.service) or "-"),
        replicas,
        _reason(recorded),
    ]


def _reason(recorded: Recorded) -> str:
    revision = recorded.revision
    parts = [
        f"rollback to {revision.rollback_of}" if revision.rollback_of else "",
        revision.reason,
        recorded.note,
    ]
    return "; ".join(p for p in parts if p)
