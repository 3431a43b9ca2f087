"""Worlds whose services are listed in a real Consul, looked at through its own API and never through the client."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchctl.core.context import Catalog, Context
from orchctl.core.service import Address, Registration, Service
from tests.servers.consul.agent import Consul
from tests.servers.consul.api import Api
from tests.servers.consul.front import Front, forwarding
from tests.worlds.fake import FakeWorld
from tests.worlds.local import LocalWorld

Json = dict[str, Any]


def registering(context: Context, url: str, cluster: str = "", **settings: Any) -> Context:
    """The same context, its services listed in the Consul at ``url`` with the addresses of their instances."""
    catalog = Catalog(name="main", kind="consul", settings={"consul": url, **settings})
    name = cluster or f"test-{uuid.uuid4().hex[:12]}"
    return replace(context, catalog=catalog, cluster=name, register=True, register_address=Address.INSTANCE)


class Entries:
    """What the catalog has, as Consul itself says."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def of(self, name: str) -> list[Json]:
        found: list[Json] = self.api.get(f"/v1/health/service/{name}", consistent="1")
        return found

    def passing(self, name: str) -> list[str]:
        """``host:port`` of what a client is told, sorted."""
        return sorted(
            f"{a['Service']['Address']}:{a['Service']['Port']}"
            for a in self.of(name)
            if all(check["Status"] == "passing" for check in a["Checks"])
        )

    def critical(self, name: str) -> int:
        return len(self.of(name)) - len(self.passing(name))

    def nodes(self, cluster: str) -> list[str]:
        nodes = self.api.get("/v1/catalog/nodes", consistent="1")
        return sorted(n["Node"] for n in nodes if n["Node"].startswith(f"orchctl-{cluster}-"))

    def everything(self) -> dict[str, Json]:
        """Every node with its services, by node; the agent's own node is not among them."""
        names = [n["Node"] for n in self.api.get("/v1/catalog/nodes", consistent="1")]
        found = {n: self.api.get(f"/v1/catalog/node-services/{n}", consistent="1") for n in names if n != "test"}
        return {name: node for name, node in found.items() if node}


class ListedFakeWorld(FakeWorld):
    """The cluster in memory and in virtual time, its services in a real Consul behind ``front``."""

    def __init__(self, consul: Consul, state_dir: Path, *, cluster: str = "") -> None:
        super().__init__(state_dir)
        self.front = Front(forwarding(consul.api))
        self.context = registering(self.context, self.front.url, cluster)
        self.entries = Entries(consul.api)

    def close(self) -> None:
        self.clean()
        self.front.close()


class ListedLocalWorld(LocalWorld):
    """Real processes, listed in a real Consul behind ``front``."""

    def __init__(self, consul: Consul, directory: Path, *, cluster: str = "") -> None:
        super().__init__(directory)
        self.front = Front(forwarding(consul.api))
        self.context = registering(self.context, self.front.url, cluster)
        self.entries = Entries(consul.api)

    def close(self) -> None:
        self.clean()
        self.front.close()


def listed(world: ListedFakeWorld, name: str = "web", **more: Any) -> Service:
    return replace(world.service(name=name), register=Registration(name=f"{name}-{world.context.cluster}", **more))
