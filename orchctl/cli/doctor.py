"""``orchctl doctor``: what stands in the way of a deploy, context by context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import typer

from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import Printing, Where
from orchctl.cli.place import every_context, find_context
from orchctl.cli.session import opened
from orchctl.cli.terminal import Terminal, terminal_of
from orchctl.core.backend import Connection
from orchctl.core.check import Check, Health
from orchctl.core.context import Context
from orchctl.errors import (
    EXIT_OK,
    AuthRefused,
    BackendBug,
    BackendUnavailable,
    OrchctlError,
    UnknownContext,
    UsageError,
)

PATIENCE_S = 10.0

Format = Annotated[Literal["table", "json", "yaml"], typer.Option("--output", "-o", help="How to print the result.")]


def doctor(where: Where, talk: Printing, output: Format = "table") -> int:
    """Check that contexts can be reached and used: the one that is named, or all of the configuration.

    Looks at the configuration, the backend's Python package, the connection, and what else the backend
    knows about: versions, rights, clocks, certificates. Changes no service.

    \b
    Exit code: 0 when nothing is bad; warnings do not count. Otherwise that of
    the first bad finding:
      1  a bug in the backend's adapter
      2  the configuration, or a Python package that is not installed
      9  the backend cannot be reached
     10  credentials are refused, or a right is missing
    """
    terminal = terminal_of(talk, output)
    if where.namespace:
        check_name(where.namespace, "namespace")
    named = bool(where.context or where.backend)
    contexts = {c.name: c for c in [find_context(where)]} if named else every_context()
    found = [_examined(terminal, where, name, contexts) for name in contexts]
    if terminal.wants_document:
        terminal.document(_document(found))
    bad = (c for e in found for c in e.checks if c.health is Health.BAD)
    return next((c.exit_code for c in bad), EXIT_OK)


@dataclass(frozen=True, slots=True)
class _Examination:
    context: str
    backend: str
    checks: tuple[Check, ...]


def _examined(
    terminal: Terminal, where: Where, name: str, contexts: Mapping[str, Context | UnknownContext]
) -> _Examination:
    """The findings of one context, said as they come: a server that does not answer takes its time."""
    context = contexts[name]
    checks = []
    for check in examine(context, where):
        checks.append(check)
        if not terminal.wants_document:
            _say(terminal, name, check, longest=max(map(len, contexts)))
    return _Examination(name, context.backend if isinstance(context, Context) else "", tuple(checks))


def examine(context: Context | UnknownContext, where: Where) -> Iterator[Check]:
    """One finding after the other; what fails is a finding, too."""
    if isinstance(context, UnknownContext):
        yield _failed("configuration", context)
        return
    try:
        namespace = namespace_of(where, context)
        with opened(context) as session:
            yield from _usable(context, namespace)
            session.connection.set_patience(PATIENCE_S)
            yield from _answers(session.connection, namespace)
        if context.catalog:
            yield _catalog(context)
    except BackendUnavailable as error:
        yield _failed("backend", error)
    except UsageError as error:
        yield _failed("configuration", error)
    except OrchctlError as error:
        yield from _usable(context, namespace)
        yield _failed("connection", error)
    except Exception as error:  # noqa: BLE001 - the adapter seam: a broken adapter must not hide the other contexts
        hint = "this is a bug in orchctl; please report it with the output of: orchctl status -v"
        yield replace(_failed("backend", BackendBug(context.backend, error)), hint=hint)


def _usable(context: Context, namespace: str) -> Iterator[Check]:
    yield _good("configuration", f"{context.backend}, namespace {namespace}")
    yield _good("backend", f"{context.backend} is installed")


def _catalog(context: Context) -> Check:
    """Raises no error of ours."""
    from orchctl.core.catalogs import open_directory

    try:
        with open_directory(context) as directory:
            count = len(directory.listed())
            return _good("catalog", f"{directory.words} shows {count} services of this cluster")
    except OrchctlError as error:
        return _failed("catalog", error)


def _answers(connection: Connection, namespace: str) -> Iterator[Check]:
    """Raises no error of ours. Who is refused learns from the backend which rights are missing, if it can tell."""
    refused = False
    try:
        connection.reader.live(namespace)
        yield _good("connection", f"answered by {connection.endpoint}")
    except AuthRefused as error:
        refused = True
        yield _failed("connection", error)
    except OrchctlError as error:
        yield _failed("connection", error)
        return
    try:
        yield from connection.checks(namespace)
    except OrchctlError as error:
        if not refused:
            yield _failed("connection", error)


def _good(name: str, finding: str) -> Check:
    return Check(name=name, health=Health.GOOD, finding=finding)


def _failed(name: str, error: OrchctlError) -> Check:
    return Check(name=name, health=Health.BAD, finding=str(error), hint=error.hint, exit_code=error.exit_code)


def _say(terminal: Terminal, context: str, check: Check, *, longest: int) -> None:
    from orchctl.cli.views.checks import check_lines

    if terminal.quiet and check.health is not Health.BAD:
        return
    lines = check_lines(context, check, longest=longest, width=terminal.width, colour=terminal.colour_out)
    terminal.print("\n".join(lines) + "\n")
    terminal.out.flush()


def _document(found: list[_Examination]) -> dict[str, object]:
    from orchctl.cli.views.documents import listed

    return listed(
        "DoctorReport",
        [
            {
                "context": e.context,
                "backend": e.backend,
                "checks": [
                    {"name": c.name, "health": c.health.value, "finding": c.finding, "hint": c.hint} for c in e.checks
                ],
            }
            for e in found
        ],
    )
