"""``discover --from catalog`` and ``--from all``: what clients find, beside what runs where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orchctl.cli.options import Where
from orchctl.cli.place import every_context
from orchctl.cli.session import opened
from orchctl.cli.terminal import Terminal
from orchctl.core.catalogs import Directory, Found, open_directory
from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint
from orchctl.errors import NotFound, OrchctlError

BLOCK_S = 30
"""How long one blocking query lasts when nothing changes."""
_PAUSE_S = 0.2
_CTRL_C = 128 + 2


@dataclass(frozen=True, slots=True)
class Placed:
    """An endpoint and where it was found; ``context`` is the cluster's name for what the catalog says, "" for what is
    not of orchctl."""

    endpoint: Endpoint
    backend: str
    context: str


def in_catalog(context: Context, names: Sequence[str]) -> list[Placed]:
    """Everything under these names, of whomever it is."""
    with open_directory(context) as directory:
        return [placed(found) for name in names for found in _in_order(directory.find(name))]


def placed(found: Found) -> Placed:
    """Under the name that clients ask for."""
    endpoint = replace(found.endpoint, service=found.name, port_name=found.endpoint.port_name or "-")
    return Placed(endpoint, "consul", found.cluster)


def everywhere(
    terminal: Terminal, context: Context, where: Where, names: Sequence[str]
) -> tuple[list[Placed], list[str]]:
    """Of every context of the configuration, then what the catalog has besides; and the contexts that cannot be looked at,
    each of which is told."""
    found: list[Placed] = []
    missing: list[str] = []
    for name, other in every_context().items():
        try:
            if not isinstance(other, Context):
                raise other
            found += _in_context(other, where.namespace or other.namespace, names)
        except OrchctlError as error:
            terminal.complain(f"context {name}: {error}", "warning")
            missing.append(name)
    known = {(p.endpoint.host, p.endpoint.port) for p in found}
    listed = in_catalog(context, names) if context.catalog else []
    return found + [p for p in listed if (p.endpoint.host, p.endpoint.port) not in known], missing


def _in_context(context: Context, namespace: str, names: Sequence[str]) -> list[Placed]:
    from orchctl.engine.discover import discover as find

    found: list[Placed] = []
    with opened(context) as session:
        for name in names:
            try:
                found += [Placed(e, context.backend, context.name) for e in find(session, namespace, name)]
            except NotFound:
                continue
    return found


def _in_order(found: Sequence[Found]) -> list[Found]:
    return sorted(
        found, key=lambda f: (not f.endpoint.ready, f.cluster, f.endpoint.instance, f.endpoint.host, f.endpoint.port)
    )


def say_names(terminal: Terminal, context: Context, names: Sequence[str]) -> None:
    with open_directory(context) as directory:
        for name in names:
            terminal.say(f"clients ask DNS for {' or '.join(directory.dns_names(name))}")


def watch(terminal: Terminal, context: Context, name: str, show: Callable[[Sequence[Placed]], None]) -> int:
    """Show what is under a name, and again as soon as it changes, until Ctrl-C. What fails is told once and tried again."""
    from orchctl.engine.clock import SystemClock
    from orchctl.engine.wait import Pace

    clock = SystemClock()
    pace, shown, trouble, index = Pace(clock), None, "", 0
    try:
        with open_directory(context) as directory:
            while True:
                try:
                    index, found = _next(directory, name, index)
                except OrchctlError as error:
                    if str(error) != trouble:
                        terminal.complain(f"{error}; asking again", "error")
                    index, trouble = 0, str(error)
                    clock.sleep(pace.after_failure())
                    continue
                if found != shown:
                    show(found)
                    terminal.out.flush()
                pace, shown, trouble = Pace(clock), found, ""
                clock.sleep(_PAUSE_S)  # a name that changes all the time is asked for a few times a second
    except KeyboardInterrupt:
        return _CTRL_C


def _next(directory: Directory, name: str, index: int) -> tuple[int, list[Placed]]:
    seen = directory.changed(name, index=index, wait_s=BLOCK_S)
    return seen.index, [placed(found) for found in _in_order(seen.found)]


def resolve(terminal: Terminal, context: Context, names: Sequence[str]) -> None:
    """What a client of DNS would get now."""
    with open_directory(context) as directory:
        asked = [(directory.dns_names(name)[0], kind, data) for name in names for kind, data in directory.resolve(name)]
        missing = {directory.dns_names(name)[0] for name in names} - {name for name, _, _ in asked}
    if terminal.wants_document:
        from orchctl.cli.views.documents import listed

        items = [{"name": name, "type": kind, "data": data} for name, kind, data in asked]
        terminal.document(listed("DnsRecordList", items))
    elif asked:
        terminal.table(["NAME", "TYPE", "DATA"], [list(row) for row in asked])
    for name in sorted(missing):
        terminal.say(f"no records for {name}: nothing that is called so is ready")
