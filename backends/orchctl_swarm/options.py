"""The ``backends.swarm`` block of a spec: what only Swarm has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchctl.core import options
from orchctl.core.options import Check, flag, is_words, one_of, read_options
from orchctl.core.plan import Issue
from orchctl.core.service import Service
from orchctl_swarm.names import is_reserved

RESOLVE = ("always", "never")
MODES = ("vip", "dnsrr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``networks``: existing overlay networks to join besides the namespace's own. ``init``: a tiny init as process 1,
    so that signals and orphans are handled. ``resolve_image``: ask the registry for the digest.
    ``health_command`` replaces the check made from ``health`` (a list is run as it is, a text by the shell).
    ``patch``: JSON merge patch on the finished ServiceSpec."""

    networks: tuple[str, ...] = ()
    init: bool = True
    resolve_image: str = "always"
    health_command: str | tuple[str, ...] = ()
    endpoint_mode: str = ""
    patch: Mapping[str, Any] = field(default_factory=dict)


def options_of(service: Service) -> Options:
    return read_options(service, "swarm", Options)


def check_options(service: Service) -> Iterator[Issue]:
    """A REJECT for every option that is unknown or not of its type."""
    return options.check_options(service, "swarm", "Swarm", _CHECKS)


def _networks(value: Any) -> str:
    return "" if is_words(value) else "must be a list of network names"


def _command(value: Any) -> str:
    good = bool(value) and (isinstance(value, str) or is_words(value))
    return "" if good else "must be a command: a list of words, or one text for the shell"


# Identity and count are orchctl's own: a patch to them would break ownership, conflict detection and scale.
_GUARDED = ("Name", "Mode")
_KEPT = (
    ("Labels",),
    ("UpdateConfig",),
    ("TaskTemplate",),
    ("TaskTemplate", "ContainerSpec"),
    ("TaskTemplate", "ContainerSpec", "Labels"),
)
"""Mappings that have to stay, whatever becomes of their keys."""


def _patch(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "must be a mapping: a JSON merge patch on the ServiceSpec"
    touched = [name for name in _GUARDED if name in value]
    for path in _KEPT:
        found = _at(value, path)
        if found is not None and not isinstance(found, Mapping):
            touched.append(".".join(path))
        elif path[-1] == "Labels":
            touched += [f"{'.'.join(path)}.{key}" for key in found or () if is_reserved(str(key))]
    return f"may not change {', '.join(touched)}" if touched else ""


def _at(value: Any, path: Sequence[str]) -> Any:
    """What the patch puts at ``path``, _REMOVED where it removes it; None where it says nothing of it."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = _REMOVED if value[key] is None else value[key]
    return value


_REMOVED = object()


_CHECKS: Mapping[str, Check] = {
    "networks": _networks,
    "init": flag,
    "resolve_image": one_of(*RESOLVE),
    "health_command": _command,
    "endpoint_mode": one_of(*MODES),
    "patch": _patch,
}
