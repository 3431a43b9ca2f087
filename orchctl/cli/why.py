"""``orchctl why``: why a service is not healthy, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import OneService, Printing, Where
from orchctl.cli.place import find_context
from orchctl.cli.session import opened
from orchctl.cli.terminal import Terminal, terminal_of

if TYPE_CHECKING:
    from orchctl.engine.why import Diagnosis

Format = Annotated[Literal["text", "json", "yaml"], typer.Option("--output", "-o", help="How to print the result.")]


def why(where: Where, talk: Printing, service: OneService, output: Format = "text") -> int:
    """Say why a service is not healthy: cause, evidence, remedy."""
    from orchctl.engine.why import why as diagnose

    terminal = terminal_of(talk, output)
    context = find_context(where)
    with opened(context) as session:
        diagnosis = diagnose(session, namespace_of(where, context), check_name(service))
    if terminal.wants_document:
        terminal.document(_document(diagnosis))
    else:
        _show(terminal, diagnosis)
    return 0


def _show(terminal: Terminal, diagnosis: Diagnosis) -> None:
    from orchctl.cli.status import ready_of
    from orchctl.cli.views.outcomes import failure_lines
    from orchctl.cli.views.remedies import REMEDIES
    from orchctl.cli.views.sanitise import sanitise

    now = diagnosis.status
    lines = [f"{now.name}: {now.phase.value}, {ready_of(now)} ready, revision {now.revision or '-'}"]
    if now.message:
        lines.append(f"  {now.message}")
    if diagnosis.of_revision:
        lines += ["", f"revision {diagnosis.of_revision} failed: {diagnosis.note or 'no reason was recorded'}"]
    if diagnosis.evidence_missing:
        lines.append("  its evidence was kept on the machine that deployed it")
    for failure in diagnosis.failures:
        lines += ["", *failure_lines(failure), f"  remedy: {REMEDIES[failure.kind]}"]
    if not diagnosis.failures and not diagnosis.of_revision:
        lines.append("  no failure is known")
    terminal.print("\n".join(sanitise(line) for line in lines) + "\n")


def _document(diagnosis: Diagnosis) -> dict[str, Any]:
    from orchctl.cli.views.documents import failure_item, headed, status_item
    from orchctl.cli.views.remedies import REMEDIES

    return headed(
        "Diagnosis",
        {
            "service": diagnosis.status.name,
            "status": status_item(diagnosis.status),
            "of_revision": diagnosis.of_revision,
            "note": diagnosis.note,
            "evidence_missing": diagnosis.evidence_missing,
            "failures": [failure_item(f) | {"remedy": REMEDIES[f.kind]} for f in diagnosis.failures],
        },
    )
