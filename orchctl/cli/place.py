"""Which context a command works on. An unknown one is an error, never a default (kubernetes#38864)."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from orchctl.cli.configuration import Configuration, ContextEntry, load_configuration, state_dir, working_directory
from orchctl.cli.options import Where
from orchctl.core.context import Context
from orchctl.errors import UnknownContext, UsageError

IMPLICIT = "local"


def find_context(where: Where) -> Context:
    """Precedence: --backend or --context, ORCHCTL_CONTEXT, the configuration's default, ``local``.

    ``--backend NAME`` is that backend with its default settings, under its own name.
    """
    if where.context and where.backend:
        raise UsageError("--context and --backend exclude each other", hint="a context names its backend itself")
    cwd = working_directory()
    if where.backend:
        return _context(ContextEntry(name=where.backend, backend=where.backend), cwd)
    configuration = load_configuration(cwd, os.environ)
    name, origin = chosen(configuration, where.context)
    return _context(_entry(configuration, name, origin), cwd)


def chosen(configuration: Configuration, flag: str = "") -> tuple[str, str]:
    """The name of the context, and what named it."""
    if flag:
        return flag, "--context"
    if named := os.environ.get("ORCHCTL_CONTEXT"):
        return named, "ORCHCTL_CONTEXT"
    if configuration.default:
        return configuration.default, f"default in {configuration.default_from}"
    return IMPLICIT, "built in"


def all_entries(configuration: Configuration) -> dict[str, ContextEntry]:
    """The configured contexts and the implicit one, by name."""
    implicit = {IMPLICIT: ContextEntry(name=IMPLICIT, backend=IMPLICIT)}
    return dict(sorted((implicit | dict(configuration.contexts)).items()))


def _entry(configuration: Configuration, name: str, origin: str) -> ContextEntry:
    known = all_entries(configuration)
    if name in known:
        return known[name]
    close = get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UnknownContext(f"there is no context {name!r} ({origin})", hint=f"{hint}known: {', '.join(known)}")


def _context(entry: ContextEntry, cwd: Path) -> Context:
    return Context(
        name=entry.name,
        backend=entry.backend,
        state_dir=state_dir(os.environ),
        namespace=entry.namespace,
        protected=entry.protected,
        settings=entry.settings,
        base_dir=entry.file.absolute().parent if entry.file else cwd,
    )
