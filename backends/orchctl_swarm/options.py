"""The ``backends.swarm`` block of a spec: what only Swarm has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Service

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
    """Read what ``check_options`` found to be right."""
    given = dict(service.options("swarm"))
    for name in ("networks", "health_command"):
        if isinstance(given.get(name), (list, tuple)):
            given[name] = tuple(given[name])
    return Options(**given)


def check_options(service: Service) -> Iterator[Issue]:
    """A REJECT for every option that is unknown or not of its type."""
    for name, value in service.options("swarm").items():
        problem = _problem(name, value)
        if problem:
            yield Issue(path=f"backends.swarm.{name}", policy=Policy.REJECT, message=problem)


def _problem(name: str, value: Any) -> str:
    if name == "networks":
        return "" if _is_words(value) else "must be a list of network names"
    if name == "init":
        return "" if isinstance(value, bool) else "must be true or false"
    if name == "resolve_image":
        return "" if value in RESOLVE else f"must be one of {', '.join(RESOLVE)}"
    if name == "endpoint_mode":
        return "" if value in MODES else f"must be one of {', '.join(MODES)}"
    if name == "health_command":
        good = bool(value) and (isinstance(value, str) or _is_words(value))
        return "" if good else "must be a command: a list of words, or one text for the shell"
    if name == "patch":
        return _patch_problem(value)
    known = ", ".join(Options.__dataclass_fields__)
    return f"unknown option; Swarm knows {known}"


def _is_words(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, str) and v for v in value)


# Identity and count are orchctl's own: a patch to them would break ownership, conflict detection and scale.
_GUARDED = ("Name", "Mode")


def _patch_problem(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "must be a mapping: a JSON merge patch on the ServiceSpec"
    touched = [name for name in _GUARDED if name in value]
    return f"may not change {', '.join(touched)}" if touched else ""
