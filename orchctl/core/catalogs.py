"""Catalogs that contexts share: where clients find a service, whatever runs it.

An entry is one endpoint under the name that clients ask for. Entries of others are never touched.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from orchctl.core.endpoint import Endpoint
from orchctl.core.service import Probe
from orchctl.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

    from orchctl.core.context import Context

KINDS = {"consul": "orchctl.catalog.directory:ConsulDirectories"}
"""Kinds of a ``[catalogs.NAME]`` table, and the classes behind them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is to stand in the catalog: ``endpoint`` under ``name``. ``probe``: how others may check it, None = they cannot."""

    name: str
    endpoint: Endpoint
    tags: tuple[str, ...] = ()
    probe: Probe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands in the catalog under ``name``. ``cluster``, ``namespace`` and ``endpoint.service`` are "" where it is not
    of orchctl; ``endpoint.ready``: clients that ask are told of it."""

    name: str
    endpoint: Endpoint
    cluster: str = ""
    namespace: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """``index`` is for the next call of ``changed``."""

    index: int
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is listed for one service of this cluster, as fingerprints by place; ``names``: under these."""

    fingerprints: frozenset[tuple[str, str]] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a publication did, as counts of entries."""

    added: int = 0
    changed: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        words = {"added": self.added, "changed": self.changed, "removed": self.removed}
        return ", ".join(f"{count} {word}" for word, count in words.items() if count) or "nothing to change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """An entry of this cluster, by its own place; with ``name`` "" a node without entries."""

    place: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """What nobody stands behind any more: the entries of a service, or (``service`` "") nodes without entries."""

    namespace: str = ""
    service: str = ""
    entries: tuple[Stray, ...] = ()


Owner = tuple[str, str]
"""(namespace, service)."""


class Directories(ABC):
    """A kind of catalog. No network until ``open``."""

    @abstractmethod
    def open(self, context: Context) -> Directory:
        """For this context's cluster; ConfigError, Unreachable, AuthRefused, BackendUnavailable."""


class Directory(ABC):
    """An open catalog, as one cluster's deployers see it; a context manager. ``words`` is its address. One thread at a time."""

    words: str

    @abstractmethod
    def listed(self) -> dict[Owner, Listed]:
        """What we may see of this cluster, in one request. Who may see some services of many finds no others here, and no
        word of them: what is missing is no proof, and ``publish`` asks by name. AuthRefused when we may see nothing."""

    @abstractmethod
    def differs(self, listed: Listed, owner: Owner, wanted: Sequence[Listing]) -> bool:
        """Would ``publish`` write? Asks nobody."""

    @abstractmethod
    def publish(
        self, owner: Owner, wanted: Sequence[Listing], *, shared: bool = False, names: Collection[str] = ()
    ) -> Published:
        """Make ``wanted`` all that is listed for ``owner``: what is new first, what is gone last, nothing when it is so already.

        ForeignObject when somebody else has entries under one of the names (with ``shared`` that is no conflict), or one
        that is not ours where ours shall be; StalePlan when others keep changing the same entries; UsageError for what the
        catalog will not take. ``names``: look there, too. AuthRefused when we may not see all that has one of the names, and
        when nothing is wanted, no name is known and something is hidden that might be the owner's.
        """

    @abstractmethod
    def nodes_without_entries(self) -> Sequence[str]:
        """Nodes of this cluster that were made for entries and have none, not even one that we may not see."""

    @abstractmethod
    def remove_nodes(self, nodes: Sequence[str]) -> int:
        """Those of them that still have no entries; how many they were."""

    @abstractmethod
    def stray(self) -> dict[Owner, tuple[Stray, ...]]:
        """What we may see of this cluster, read from the entries themselves: one request, and one for each node. AuthRefused
        when that is nothing and something is hidden."""

    @abstractmethod
    def find(self, name: str) -> Sequence[Found]:
        """All entries under a name, those of others too. AuthRefused when we may not see all of them."""

    @abstractmethod
    def changed(self, name: str, *, index: int, wait_s: int) -> Seen:
        """As soon as they differ from what was there at ``index`` (0 = at once), and after ``wait_s`` in any case.
        AuthRefused as for ``find``."""

    @abstractmethod
    def dns_names(self, name: str) -> Sequence[str]:
        """What clients ask DNS for: the name, and the one of its SRV records."""

    @abstractmethod
    def resolve(self, name: str) -> Sequence[tuple[str, str]]:
        """What DNS answers to a client now: (type, text) of every record. Unreachable when it does not."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_directory(context: Context) -> Directory:
    """ConfigError when the context has no catalog."""
    if context.catalog is None:
        raise ConfigError(
            f"context {context.name!r} has no catalog",
            hint='write: catalog = "NAME", and [catalogs.NAME] with consul = "http://HOST:8500"',
        )
    return load(context.catalog.kind).open(context)


def load(kind: str) -> Directories:
    """ConfigError when there is no such kind of catalog."""
    if kind not in KINDS:
        raise ConfigError(f"there is no kind of catalog {kind!r}", hint=f"known: {', '.join(KINDS)}")
    module, _, cls = KINDS[kind].partition(":")
    found: Directories = getattr(importlib.import_module(module), cls)()
    return found
