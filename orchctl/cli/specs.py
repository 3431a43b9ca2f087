"""The services that a command line means: from spec files, filtered by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from orchctl.cli.configuration import working_directory
from orchctl.cli.names import check_name, namespace_of
from orchctl.cli.options import Files, Where
from orchctl.core.context import Context
from orchctl.core.service import Service
from orchctl.errors import UsageError

if TYPE_CHECKING:
    from orchctl.cli.terminal import Terminal
    from orchctl.spec.source import Resolved, SpecRequest


def request_of(files: Files, context: Context) -> SpecRequest:
    """The flags as the spec layer takes them."""
    from orchctl.core import registry
    from orchctl.spec.source import SpecRequest

    built_in = context.backend in registry.BUILT_IN
    return SpecRequest(
        files=tuple(files.file),
        env_name=files.env,
        sets=tuple(files.set_),
        env_files=tuple(files.env_file),
        environ=dict(os.environ),
        default_namespace=context.namespace,
        known_backends=() if built_in else (*registry.BUILT_IN, context.backend),
        cwd=working_directory(),
    )


def load_resolved(files: Files, names: Sequence[str], where: Where, context: Context) -> list[Resolved]:
    """The named services of the files, or all. Their namespace: -n, what the spec says, the context's."""
    from orchctl.spec.source import load_services

    found = load_services(request_of(files, context))
    if where.namespace:
        namespace = namespace_of(where, context)
        found = [replace(r, service=replace(r.service, namespace=namespace)) for r in found]
    known = [r.service.name for r in found]
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UsageError(f"the spec has no service {name!r}", hint=f"{hint}it has: {', '.join(known)}")
    return [r for r in found if not names or r.service.name in names]


def say_passed_over(terminal: Terminal, files: Files) -> None:
    """A directory stands for its ``orch.yaml`` and ``*.orch.yaml``; who meant another file of it must hear that."""
    from orchctl.spec.reading import passed_over

    for named in files.file:
        directory = os.path.join(working_directory(), named)
        if os.path.isdir(directory) and (found := passed_over(directory)):
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            terminal.say(f"passed over in {named}: {', '.join(found[:5])}{more} (only orch.yaml and *.orch.yaml count)")


def load_services(files: Files, names: Sequence[str], where: Where, context: Context) -> list[Service]:
    """As ``load_resolved``; one command works in one namespace."""
    return services_of(load_resolved(files, names, where, context))


def services_of(resolved: Sequence[Resolved]) -> list[Service]:
    """UsageError when they are of several namespaces."""
    services = [r.service for r in resolved]
    namespaces = sorted({s.namespace for s in services})
    if len(namespaces) > 1:
        raise UsageError(
            f"the services are of several namespaces: {', '.join(namespaces)}",
            hint="name the services of one of them, or put all into one with -n",
        )
    return services


def named_services(files: Files, names: Sequence[str], where: Where, context: Context) -> list[Service]:
    """For verbs that need no file: by name alone, or with -f as the files say (with their ``needs``)."""
    if files.file:
        return load_services(files, names, where, context)
    if files.env or files.set_ or files.env_file:
        raise UsageError("--env, --set and --env-file need -f", hint="name the spec with -f FILE")
    namespace = namespace_of(where, context)
    return [Service(name=check_name(name), namespace=namespace) for name in dict.fromkeys(names)]
