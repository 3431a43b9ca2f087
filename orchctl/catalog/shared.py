"""``store = "consul"`` of a context: records and leases of its services in the catalog's Consul."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from orchctl.catalog.checks import checks
from orchctl.catalog.consul import Consul
from orchctl.catalog.store import ConsulStore
from orchctl.catalog.target import Target, resolve
from orchctl.core.check import Check
from orchctl.core.context import Context
from orchctl.core.store import Store
from orchctl.core.stores import SharedStore, SharedStores
from orchctl.errors import ConfigError

ROOT = "orchctl"
_CLUSTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class ConsulStores(SharedStores):
    def open(self, context: Context) -> SharedStore:
        """Contacts nobody yet."""
        if context.catalog is None or context.catalog.kind != "consul":
            raise ConfigError(
                f'context {context.name!r}: store = "consul" needs a catalog with a Consul',
                hint='write: catalog = "NAME", and [catalogs.NAME] with consul = "http://HOST:8500"',
            )
        return _Open(resolve(context.catalog, os.environ), root_of(context))


class _Open(SharedStore):
    def __init__(self, target: Target, root: str) -> None:
        self._target, self._root = target, root
        self._port = Consul(target)
        self._store = ConsulStore(self._port, root)
        self.endpoint = f"{target.words} ({root}/)"

    @property
    def store(self) -> Store:
        return self._store

    def set_patience(self, seconds: float) -> None:
        self._port.set_patience(seconds)

    def checks(self, namespace: str) -> Iterator[Check]:
        return checks(self._port, self._target, self._root, namespace)

    def close(self) -> None:
        self._port.close()


def root_of(context: Context) -> str:
    """Where the entries of a context's cluster are; the same for everybody who calls the cluster the same."""
    return f"{ROOT}/{cluster_of(context)}"


def cluster_of(context: Context) -> str:
    """What the context's cluster is called; ConfigError for what cannot be part of a key or of a node's name."""
    cluster = context.cluster or context.name
    if not _CLUSTER.fullmatch(cluster):
        raise ConfigError(
            f"context {context.name!r}: {cluster!r} cannot be part of a key in Consul",
            hint='name the cluster with letters, digits, ".", "_" and "-": cluster = "prod"',
        )
    return cluster
