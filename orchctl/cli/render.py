"""``orchctl render``: the native objects, the merged spec, or what grants orchctl its rights; offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchctl.cli.names import namespace_of
from orchctl.cli.options import Files, Printing, Where
from orchctl.cli.place import find_context
from orchctl.cli.specs import load_resolved
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.core import registry
from orchctl.core.backend import Backend
from orchctl.core.context import Context
from orchctl.errors import UsageError

if TYPE_CHECKING:
    from orchctl.core.plan import NativeObject
    from orchctl.spec.source import Resolved

ACCESS = "rbac"
CATALOG_ACCESS = "consul-policy"

Services = Annotated[
    list[str],
    typer.Argument(
        metavar="SERVICE",
        help="Only these services; or rbac, or consul-policy.",
        default_factory=list,
        show_default=False,
    ),
]

ResolvedOnly = Annotated[
    bool, typer.Option("--resolved", help="The merged spec with the place of every value, before any backend.")
]
Format = Annotated[Literal["yaml", "json"], typer.Option("--output", "-o", help="How to print the objects.")]


def render(
    where: Where,
    files: Files,
    talk: Printing,
    services: Services,
    resolved: ResolvedOnly = False,
    output: Format = "yaml",
) -> int:
    """Print what the backend would get; deterministic, nothing is contacted.

    orchctl render rbac prints the objects that grant exactly what orchctl needs in the namespace, for
    an administrator to apply. A service called rbac is rendered when its file is named with -f.

    orchctl render consul-policy [-f FILE] prints the policy of the token that the context's catalog needs; with a file
    for the names of its services alone.
    """
    terminal = terminal_of(talk, output)
    context = find_context(where)
    if services == [ACCESS] and files == Files() and not resolved:
        _show_access(terminal, registry.load(context.backend), namespace_of(where, context))
        return 0
    if services == [CATALOG_ACCESS] and not resolved:
        _show_policy(terminal, context, files, where)
        return 0
    found = load_resolved(files, services, where, context)
    if resolved:
        _show_resolved(terminal, found)
        return 0
    backend = registry.load(context.backend)
    objects = [(r.service.name, o) for r in found for o in backend.render(r.service.on_backend())]
    _show_objects(terminal, backend, objects)
    return 0


def _show_objects(terminal: Terminal, backend: Backend, objects: Sequence[tuple[str, NativeObject]]) -> None:
    """Each with the name of its service, "" when it belongs to none."""
    from orchctl.cli.views.documents import headed

    items = [{"service": name, "kind": o.kind, "name": o.name, "body": dict(o.body)} for name, o in objects]
    terminal.document(headed("NativeObjectList", {"backend": backend.name, "items": items}))


def _show_access(terminal: Terminal, backend: Backend, namespace: str) -> None:
    """As YAML the objects alone, one document each, as the backend's own tool takes them."""
    objects = backend.access(namespace)
    if not objects:
        raise UsageError(
            f"{backend.name} has no objects that grant rights",
            hint=f"to render a service called {ACCESS} name its file: -f FILE",
        )
    if terminal.output == "json" or terminal.query:
        _show_objects(terminal, backend, [("", o) for o in objects])
    else:
        import yaml

        texts = [yaml.safe_dump(dict(o.body), sort_keys=False, default_flow_style=None, width=100) for o in objects]
        terminal.print("---\n".join(texts))


def _show_policy(terminal: Terminal, context: Context, files: Files, where: Where) -> None:
    from orchctl.catalog.policy import policy
    from orchctl.engine.publish import names_of

    services = [r.service for r in load_resolved(files, (), where, context)] if files != Files() else []
    names = sorted({name for service in services for name in names_of(service, context)})
    if services and not names:
        raise UsageError("none of these services is registered in this context", hint="write: register: true")
    text = policy(context, names)
    from orchctl.cli.views.documents import headed

    if terminal.output == "json" or terminal.query:
        terminal.document(headed("ConsulPolicy", {"rules": text}))
    else:
        terminal.print(text)


def _show_resolved(terminal: Terminal, found: Sequence[Resolved]) -> None:
    """YAML with comments that name file and line; several services are several documents."""
    from orchctl.cli.views.documents import headed
    from orchctl.cli.views.sanitise import sanitise_lines
    from orchctl.spec.resolved import document_text

    texts = {r.service.name: document_text(r.tree) for r in found}
    if terminal.output == "json" or terminal.query:
        terminal.document(headed("ResolvedSpec", {"services": texts}))
    else:
        terminal.print(sanitise_lines("---\n".join(texts.values())))
