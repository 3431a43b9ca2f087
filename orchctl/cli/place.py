"""Which context a command works on. An unknown one is an error, never a default (kubernetes#38864)."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from orchctl.cli.configuration import (
    CatalogEntry,
    Configuration,
    ContextEntry,
    load_configuration,
    state_dir,
    working_directory,
)
from orchctl.cli.options import MayForce, Where
from orchctl.core.context import Catalog, Context
from orchctl.core.service import Address
from orchctl.errors import UnknownContext, UsageError

IMPLICIT = "local"
_NOTHING = MayForce()


def find_context(where: Where, may: MayForce = _NOTHING) -> Context:
    """Precedence: --backend or --context, ORCHCTL_CONTEXT, the configuration's default, ``local``.

    ``--backend NAME`` is that backend with its default settings, under its own name.
    """
    return replace(_find(where), allow=may.allowed())


def every_context() -> Mapping[str, Context | UnknownContext]:
    """Those of the configuration, and the one that a command takes when none is named, by name."""
    cwd = working_directory()
    configuration = load_configuration(cwd, os.environ)
    current, origin = chosen(configuration)
    found: dict[str, Context | UnknownContext] = {}
    for name in sorted({*configuration.contexts, current}):
        try:
            found[name] = _context(_entry(configuration, name, origin), cwd, configuration)
        except UnknownContext as error:
            found[name] = error
    return found


def _find(where: Where) -> Context:
    if where.context and where.backend:
        raise UsageError("--context and --backend exclude each other", hint="a context names its backend itself")
    cwd = working_directory()
    if where.backend:
        return _context(ContextEntry(name=where.backend, backend=where.backend), cwd, Configuration())
    configuration = load_configuration(cwd, os.environ)
    name, origin = chosen(configuration, where.context)
    return _context(_entry(configuration, name, origin), cwd, configuration)


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


def _context(entry: ContextEntry, cwd: Path, configuration: Configuration) -> Context:
    return Context(
        name=entry.name,
        backend=entry.backend,
        state_dir=state_dir(os.environ),
        namespace=entry.namespace,
        protected=entry.protected,
        settings=entry.settings,
        base_dir=entry.file.absolute().parent if entry.file else cwd,
        catalog=_catalog(configuration.catalogs[entry.catalog], cwd) if entry.catalog else None,
        store=entry.store,
        cluster=entry.cluster or cluster_of(entry),
        register=entry.register,
        register_address=Address(entry.register_address),
    )


def cluster_of(entry: ContextEntry) -> str:
    """What a shared store and a catalog call the cluster of a context that does not say. For ``local`` each directory of
    processes is one of its own, on each machine: two users who shared a name would each take the other's services for
    their own, and withdraw them."""
    if entry.backend != IMPLICIT:
        return entry.name
    base = entry.file.absolute().parent if entry.file else working_directory()
    place = f"{state_dir(os.environ)}\0{base / str(entry.settings.get('state_dir') or '')}"
    return f"{entry.name}.{os.uname().nodename}-{zlib.crc32(place.encode()):08x}"


def _catalog(entry: CatalogEntry, cwd: Path) -> Catalog:
    base = entry.file.absolute().parent if entry.file else cwd
    return Catalog(name=entry.name, kind=entry.kind, settings=entry.settings, base_dir=base)
