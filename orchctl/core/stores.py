"""Where records and leases are kept: with the backend, or in a store that contexts share; and the mesh beside both.

``connect`` is the one place where that is decided; nobody opens a Connection of a context in another way.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from orchctl.core.backend import Backend, Connection, Fence, Reader, Writer
from orchctl.core.store import Store
from orchctl.errors import ConfigError

if TYPE_CHECKING:
    from orchctl.core.check import Check
    from orchctl.core.context import Context
    from orchctl.core.mesh import Mesh
    from orchctl.core.plan import Issue
    from orchctl.core.service import Service

SHARED = {"consul": "orchctl.catalog.shared:ConsulStores"}
"""Names for a context's ``store``, and the classes behind them."""


class SharedStores(ABC):
    """A kind of store that contexts share. No network and no SDK until ``open``."""

    @abstractmethod
    def open(self, context: Context) -> SharedStore:
        """For this context; ConfigError, Unreachable, AuthRefused, BackendUnavailable."""


class SharedStore(ABC):
    """An open one. ``endpoint`` is its address in words."""

    endpoint: str

    @property
    @abstractmethod
    def store(self) -> Store: ...

    @abstractmethod
    def set_patience(self, seconds: float) -> None:
        """As ``Connection.set_patience``."""

    @abstractmethod
    def checks(self, namespace: str) -> Iterator[Check]:
        """As ``Connection.checks``."""

    @abstractmethod
    def close(self) -> None: ...


def connect(backend: Backend, context: Context) -> Connection:
    """Open the context, with the store that it names and with its catalog's mesh."""
    from orchctl.core.mesh import open_mesh  # offline verbs read the names above, and need no mesh

    with ExitStack() as opened:
        shared = load(context.store).open(context) if context.store else None  # the cheaper one to be refused by
        if shared:
            opened.callback(shared.close)
        mesh = open_mesh(context)
        if mesh:
            opened.callback(mesh.close)
        connection = backend.connect(context)
        opened.pop_all()
    return _Together(connection, shared, mesh) if shared or mesh else connection


def load(name: str) -> SharedStores:
    """ConfigError when there is no such kind of store."""
    target = SHARED.get(name)
    if target is None:
        raise ConfigError(f"there is no store {name!r}", hint=f"known: {', '.join(SHARED)}; or leave it out")
    module, _, cls = target.partition(":")
    found: SharedStores = getattr(importlib.import_module(module), cls)()
    return found


class _Together(Connection):
    """A backend's Connection with what the context keeps elsewhere: records and leases, rules of a mesh."""

    def __init__(self, inner: Connection, shared: SharedStore | None, mesh: Mesh | None) -> None:
        self._inner = inner
        self._shared = shared
        self.mesh = mesh
        self.endpoint = inner.endpoint + (f", records and locks in {shared.endpoint}" if shared else "")

    @property
    def reader(self) -> Reader:
        return self._inner.reader

    @property
    def store(self) -> Store:
        return self._shared.store if self._shared else self._inner.store

    def writer(self, fence: Fence) -> Writer:
        return self._inner.writer(fence)

    def set_patience(self, seconds: float) -> None:
        for part in self._parts():
            part.set_patience(seconds)

    def refusals(self, service: Service) -> Sequence[Issue]:
        return self._inner.refusals(service)

    def checks(self, namespace: str) -> Iterator[Check]:
        if self._shared:
            yield from self._shared.checks(namespace)
        if self.mesh:
            yield from self.mesh.checks()
        yield from self._inner.checks(namespace)

    def close(self) -> None:
        with ExitStack() as stack:
            for part in self._parts():
                stack.callback(part.close)

    def _parts(self) -> Iterator[Connection | SharedStore | Mesh]:
        yield self._inner
        if self.mesh:
            yield self.mesh
        if self._shared:
            yield self._shared
