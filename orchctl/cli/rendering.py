"""``orchctl render``: the native objects, or the merged spec; offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchctl.cli.options import Files, Services, Talk, Where
from orchctl.cli.place import find_context
from orchctl.cli.specs import load_resolved
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.core import registry

if TYPE_CHECKING:
    from orchctl.spec.source import Resolved

ResolvedOnly = Annotated[
    bool, typer.Option("--resolved", help="The merged spec with the place of every value, before any backend.")
]
Format = Annotated[Literal["yaml", "json"], typer.Option("--output", "-o", help="How to print the objects.")]


def render(
    where: Where,
    files: Files,
    talk: Talk,
    services: Services,
    resolved: ResolvedOnly = False,
    output: Format = "yaml",
) -> int:
    """Print what the backend would get; deterministic, nothing is contacted."""
    from orchctl.cli.render.documents import headed

    terminal = terminal_of(talk, output)
    context = find_context(where)
    found = load_resolved(files, services, where, context)
    if resolved:
        _show_resolved(terminal, found)
        return 0
    backend = registry.load(context.backend)
    objects = [(r.service.name, o) for r in found for o in backend.render(r.service)]
    items = [{"service": name, "kind": o.kind, "name": o.name, "body": dict(o.body)} for name, o in objects]
    terminal.document(headed("NativeObjectList", {"backend": backend.name, "items": items}))
    return 0


def _show_resolved(terminal: Terminal, found: Sequence[Resolved]) -> None:
    """YAML with comments that name file and line; several services are several documents."""
    from orchctl.cli.render.documents import headed
    from orchctl.cli.render.sanitise import sanitise_lines
    from orchctl.spec.resolved import document_text

    texts = {r.service.name: document_text(r.tree) for r in found}
    if terminal.output == "json":
        terminal.document(headed("ResolvedSpec", {"services": texts}))
    else:
        terminal.print(sanitise_lines("---\n".join(texts.values())))
