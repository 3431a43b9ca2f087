"""``orchctl validate``: parse and check, offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchctl.cli.listeners import audience_of
from orchctl.cli.options import Files, Printing, Services, Strict, Where, report_option
from orchctl.cli.place import find_context
from orchctl.cli.specs import load_resolved, say_passed_over, services_of
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.core import registry
from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Service
from orchctl.errors import UsageError

if TYPE_CHECKING:
    from orchctl.cli.ci.audience import Audience
    from orchctl.spec.source import Resolved

AllBackends = Annotated[bool, typer.Option("--all", help="Check against every backend.")]
Written = Annotated[list[str], report_option("junit or sarif")]
Format = Annotated[Literal["text", "json", "yaml"], typer.Option("--output", "-o", help="How to print the result.")]


def validate(
    where: Where,
    files: Files,
    talk: Printing,
    reports: Written,
    services: Services,
    all_: AllBackends = False,
    strict: Strict = False,
    output: Format = "text",
) -> int:
    """Check specs offline, against the backend of the context, or all."""
    terminal = terminal_of(talk, output, audience_of("validate", reports))
    context = find_context(where)
    resolved = load_resolved(files, services, where, context)
    say_passed_over(terminal, files)
    found = services_of(resolved)
    if any(s.needs for s in found):
        from orchctl.engine.waves import waves

        waves(found)  # raises where they need each other in a circle
    backends = registry.known_names() if all_ else (context.backend,)
    checked = [(s, b, _issues(s, b)) for s in found for b in backends]
    refused = [c for c in checked if _is_refused(c[2], strict=strict)]
    if terminal.audience:
        _tell(terminal.audience, terminal, resolved, checked, strict=strict)
    if terminal.wants_document:
        terminal.document(_document(checked, strict=strict))
    else:
        for service, backend, issues in checked:
            _say(terminal, service, backend, issues, strict=strict)
    return UsageError.exit_code if refused else 0


def _tell(
    audience: Audience,
    terminal: Terminal,
    resolved: Sequence[Resolved],
    checked: Sequence[tuple[Service, str, Sequence[Issue]]],
    *,
    strict: bool,
) -> None:
    from orchctl.cli.ci.findings import Checked

    places = {r.service.name: r for r in resolved}
    audience.checked(
        terminal,
        [
            Checked(
                service=service.name,
                backend=backend,
                issues=issues,
                is_strict=strict,
                file=places[service.name].file,
                origins=places[service.name].origins if issues else {},
            )
            for service, backend, issues in checked
        ],
    )


def _issues(service: Service, backend: str) -> Sequence[Issue]:
    return registry.load(backend).check(service)


def _is_refused(issues: Sequence[Issue], *, strict: bool) -> bool:
    return any(strict or i.policy is Policy.REJECT for i in issues)


def _say(terminal: Terminal, service: Service, backend: str, issues: Sequence[Issue], *, strict: bool) -> None:
    from orchctl.cli.views.plan import issue_lines
    from orchctl.cli.views.sanitise import sanitise

    refused = _is_refused(issues, strict=strict)
    name = sanitise(f"{service.name}: {'refused by' if refused else 'valid for'} {backend}")
    if not terminal.quiet or refused:
        terminal.print("\n".join([name, *issue_lines(issues, colour=terminal.colour_out)]) + "\n")


def _document(checked: Sequence[tuple[Service, str, Sequence[Issue]]], *, strict: bool) -> dict[str, object]:
    from orchctl.cli.views.documents import issue_item, listed

    return listed(
        "ValidationList",
        [
            {
                "service": service.name,
                "backend": backend,
                "valid": not _is_refused(issues, strict=strict),
                "issues": [issue_item(i) for i in issues],
            }
            for service, backend, issues in checked
        ],
    )
