"""What a token must be allowed to do, in Consul's own policy language. Offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchctl.catalog.entries import node_prefix
from orchctl.catalog.failures import rule
from orchctl.catalog.shared import cluster_of, root_of
from orchctl.core.context import Context
from orchctl.errors import ConfigError


def policy(context: Context, names: Sequence[str]) -> str:
    """For records and locks, where the context keeps them there, and for entries under ``names``; none: under any name."""
    if context.catalog is None or context.catalog.kind != "consul":
        raise ConfigError(
            f"context {context.name!r} has no catalog with a Consul",
            hint='write: catalog = "NAME", and [catalogs.NAME] with consul = "http://HOST:8500"',
        )
    return "".join(f"{line}\n" for line in _lines(context, names))


def _lines(context: Context, names: Sequence[str]) -> Iterator[str]:
    yield f"# what orchctl needs in cluster {cluster_of(context)!r}, and nothing else"
    if context.store == "consul":
        yield "# records and locks"
        yield rule("key_prefix", f"{root_of(context)}/", "write")
        yield rule("session_prefix", "", "write")
    yield "# entries: nodes of its own, and a look at all others, so that nobody's name is taken"
    yield rule("node_prefix", node_prefix(cluster_of(context)), "write")
    yield rule("node_prefix", "", "read")
    yield from _services(names, mesh=context.catalog is not None and bool(context.catalog.settings.get("mesh")))
    yield "# with this orchctl doctor tells the version, too"
    yield "# " + rule("agent_prefix", "", "read")


def _services(names: Sequence[str], *, mesh: bool) -> Iterator[str]:
    """With a mesh, who may call a service is written beside it."""
    rights = 'policy = "write" intentions = "write"' if mesh else 'policy = "write"'
    if not names:
        yield "# any service: name the specs with -f, and only theirs are listed here"
        yield f'service_prefix "" {{ {rights} }}'
    elif mesh:
        yield rule("service_prefix", "", "read")
    for name in names:
        yield f'service "{name}" {{ {rights} }}'
