"""The ``backends.marathon`` block of a spec: what only Marathon has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchctl.core import options
from orchctl.core.options import Check, count, flag, is_count, one_of, read_options, text, words
from orchctl.core.plan import Issue
from orchctl.core.service import Service
from orchctl_marathon.names import is_reserved

CONTAINERIZERS = ("docker", "mesos")
KILL_SELECTIONS = ("YOUNGEST_FIRST", "OLDEST_FIRST")
LOAD_BALANCERS = ("marathon-lb",)
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FETCH = {"uri": str, "extract": bool, "executable": bool, "cache": bool, "dest_path": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``command``: run this as a process of the agent and leave the image alone. ``containerizer``: who runs an image, the Docker engine or Mesos itself (UCR). ``network``: ``host``, ``bridge``
    or the name of a container network; "" = bridge for images, host for processes. ``fetch``: what Mesos downloads into
    the sandbox before the start. ``accepted_resource_roles``, ``role`` (Marathon 1.9), ``disk`` (MiB) and ``gpus``
    as Marathon has them. ``kill_selection``: which instance goes first. ``unreachable``: seconds after which an
    instance on a lost agent is ``inactive_after`` replaced and ``expunge_after`` forgotten; "disabled" = never.
    ``groups``: how many values a key of ``placement.spread`` has. ``load_balancer``: publishes ports that are exposed
    to the cluster or outside. ``secrets_plugin``: this Marathon has one. ``init`` (a tiny init as process 1, so that
    signals and orphans are handled), ``privileged`` and ``force_pull`` are the Docker engine's. ``patch``: JSON merge patch on the finished app."""

    command: tuple[str, ...] = ()
    containerizer: str = "docker"
    network: str = ""
    fetch: tuple[Mapping[str, Any], ...] = ()
    accepted_resource_roles: tuple[str, ...] = ()
    role: str = ""
    disk: int = 0
    gpus: int = 0
    kill_selection: str = "YOUNGEST_FIRST"
    unreachable: Mapping[str, int] | str = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    load_balancer: str = ""
    secrets_plugin: bool = False
    init: bool = True
    privileged: bool = False
    force_pull: bool = False
    patch: Mapping[str, Any] = field(default_factory=dict)


def options_of(service: Service) -> Options:
    return read_options(service, "marathon", Options)


def check_options(service: Service) -> Iterator[Issue]:
    """A REJECT for every option that is unknown or not of its type."""
    return options.check_options(service, "marathon", "Marathon", _CHECKS)


def _network(value: Any) -> str:
    good = isinstance(value, str) and _NETWORK.fullmatch(value)
    return "" if good else "must be host, bridge, or the name of a container network"


def _fetch(value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return "must be a list of mappings with uri"
    for item in value:
        if not isinstance(item, Mapping) or not item.get("uri"):
            return "every entry needs a uri"
        for key, given in item.items():
            if key not in _FETCH or not isinstance(given, _FETCH[key]):
                return f"{key!r}: an entry has {', '.join(_FETCH)}"
    return ""


def _unreachable(value: Any) -> str:
    if value == "disabled":
        return ""
    keys = {"inactive_after", "expunge_after"}
    if not isinstance(value, Mapping) or set(value) != keys or not all(is_count(v) for v in value.values()):
        return 'must be "disabled", or inactive_after and expunge_after in seconds'
    return "" if value["inactive_after"] <= value["expunge_after"] else "inactive_after may not be above expunge_after"


def _groups(value: Any) -> str:
    good = isinstance(value, Mapping) and all(is_count(v) and v > 0 for v in value.values())
    return "" if good else "must say for a key of placement.spread how many values it has, such as {zone: 3}"


# Identity, count and ownership are orchctl's own: a patch to them would break conflict detection and scale.
_GUARDED = ("id", "instances", "version", "versionInfo", "upgradeStrategy")


def _patch(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "must be a mapping: a JSON merge patch on the app"
    touched = [name for name in _GUARDED if name in value]
    labels = value.get("labels")
    if isinstance(labels, Mapping):
        touched += [f"labels.{k}" for k in labels if is_reserved(str(k))]
    elif "labels" in value:
        touched.append("labels")
    return f"may not change {', '.join(touched)}" if touched else ""


_CHECKS: Mapping[str, Check] = {
    "command": words,
    "containerizer": one_of(*CONTAINERIZERS),
    "network": _network,
    "fetch": _fetch,
    "accepted_resource_roles": words,
    "role": text,
    "disk": count,
    "gpus": count,
    "kill_selection": one_of(*KILL_SELECTIONS),
    "unreachable": _unreachable,
    "groups": _groups,
    "load_balancer": one_of(*LOAD_BALANCERS),
    "secrets_plugin": flag,
    "init": flag,
    "privileged": flag,
    "force_pull": flag,
    "patch": _patch,
}
