"""Everything the server keeps in its store: apps with their versions, groups, service ports, last failures.

It outlives a leader: the next one reads the same store.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.servers.marathon.definition import App, is_upgrade, service_ports, uses_host_network

SERVICE_PORTS = range(10000, 20001)
KEPT_VERSIONS = 50
"""--zk_max_versions"""


Config = tuple[str, str]
"""An app's path and the time of its last change but scaling: what a back-off belongs to."""


@dataclass(frozen=True)
class Release:
    """One version of an app. ``app`` is never changed in place."""

    app: App
    version: str
    scaled_at: str
    configured_at: str

    @property
    def path(self) -> str:
        return str(self.app["id"])

    @property
    def instances(self) -> int:
        return int(self.app["instances"])

    @property
    def config(self) -> Config:
        return (self.path, self.configured_at)

    def shown(self, *, info: bool = True) -> App:
        """As answers have it; ``info`` False: the echo of a POST, which has no ``versionInfo``."""
        tail: App = {"version": self.version}
        if info:
            tail["versionInfo"] = {"lastScalingAt": self.scaled_at, "lastConfigChangeAt": self.configured_at}
        late = ("killSelection", "unreachableStrategy")
        early = {key: value for key, value in self.app.items() if key not in late}
        return early | tail | {key: self.app[key] for key in late}


def released(old: Release | None, app: App, version: str, *, restart: bool = False) -> Release:
    """``app`` as the next version after ``old``; ``old`` itself when nothing changed."""
    if old is None or is_upgrade(old.app, app):
        return Release(app, version, version, version)
    if restart:
        return Release(app, version, old.scaled_at, version)
    if old.app != app:
        return Release(app, version, version, old.configured_at)
    return old


@dataclass
class Root:
    """The tree at one moment. Groups are the parents of apps plus those that were created empty."""

    apps: dict[str, Release] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Group path to the paths it depends on."""

    version: str = "1970-01-01T00:00:00.000Z"

    def copy(self) -> Root:
        return Root(dict(self.apps), dict(self.groups), self.version)

    def all_groups(self) -> set[str]:
        implied = (parent for path in [*self.apps, *self.groups] for parent in parents(path))
        return {"/", *self.groups, *implied}

    def below(self, group: str) -> dict[str, Release]:
        return {path: release for path, release in self.apps.items() if is_below(path, group)}


def parents(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:count]) for count in range(1, len(parts))]


def is_below(path: str, group: str) -> bool:
    return group == "/" or path.startswith(group + "/")


class Store:
    """Not thread-safe: the caller holds the server's lock."""

    def __init__(self) -> None:
        self.root = Root()
        self.failures: dict[str, dict[str, Any]] = {}
        """Last failure by app."""

        self.group_versions: dict[str, list[str]] = {}
        self._versions: dict[str, dict[str, Release]] = {}

    def versions(self, path: str) -> Mapping[str, Release]:
        return self._versions.get(path, {})

    def keep(self, release: Release) -> None:
        kept = self._versions.setdefault(release.path, {})
        kept[release.version] = release
        for old in list(itertools.islice(kept, max(0, len(kept) - KEPT_VERSIONS))):
            del kept[old]

    def replace(self, target: Root) -> None:
        """Make ``target`` the tree, keep new versions, forget everything about apps that are gone."""
        for path in set(self.root.apps) - set(target.apps):
            self._versions.pop(path, None)
            self.failures.pop(path, None)
        for path, release in target.apps.items():
            if self.root.apps.get(path) != release:
                self.keep(release)
        self.root = target


def with_service_ports(app: App, old: Release | None, others: Iterable[Release]) -> App:
    """Zeros become the numbers that the app has already, then the lowest that no other app has."""
    wanted = service_ports(app)
    taken = {port for other in others for port in service_ports(other.app) if other.path != app["id"]} | set(wanted)
    held = [port for port in (service_ports(old.app) if old else ()) if port in SERVICE_PORTS and port not in wanted]
    free = itertools.chain(held, (port for port in SERVICE_PORTS if port not in taken and port not in held))
    done = dict(app)
    if uses_host_network(app):
        done["portDefinitions"] = [one | {"port": one["port"] or next(free)} for one in app["portDefinitions"]]
    elif "portMappings" in (app.get("container") or {}):
        mappings = [one | {"servicePort": one["servicePort"] or next(free)} for one in app["container"]["portMappings"]]
        done["container"] = app["container"] | {"portMappings": mappings}
    return done
