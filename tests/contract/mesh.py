"""Worlds with a mesh, and what Consul itself has of intentions."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.service import Service
from tests.servers.consul.agent import Consul
from tests.servers.consul.api import ApiError
from tests.servers.consul.connect import (
    deregister_proxy,
    register_proxy,
)
from tests.worlds.consul import FakeWorldInConsul, LocalWorldInConsul


def in_mesh(world: FakeWorldInConsul | LocalWorldInConsul, **settings: Any) -> None:
    catalog = world.context.catalog
    assert catalog is not None
    mesh = replace(catalog, settings={**catalog.settings, "mesh": True, **settings})
    world.context = replace(world.context, catalog=mesh)


def entry(consul: Consul, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = consul.api.get(f"/v1/config/service-intentions/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return found


def rule(consul: Consul, name: str) -> dict[str, str] | None:
    """Action by caller."""
    found = entry(consul, name)
    return None if found is None else {source["Name"]: source["Action"] for source in found["Sources"]}


def foreign_rules(consul: Consul) -> Callable[[], list[dict[str, Any]]]:
    """Makes some, and returns what looks at them with all their indexes."""
    own = f"theirs-{uuid.uuid4().hex[:8]}"
    for name in (own, f"{own}-2"):
        sources = [{"Name": "frontend", "Action": "deny"}, {"Name": "*", "Action": "allow"}]
        consul.api.put("/v1/config", {"Kind": "service-intentions", "Name": name, "Sources": sources})

    def look() -> list[dict[str, Any]]:
        found = consul.api.get("/v1/config/service-intentions")
        return [one for one in found if one["Name"].startswith("theirs-")]

    return look


def with_allow(world: FakeWorldInConsul, name: str, *callers: str, greeting: str = "one", **more: Any) -> Service:
    return replace(world.service(name=name, greeting=greeting), allow=callers, **more)


@pytest.fixture
def world(consul: Consul, tmp_path: Path) -> Iterator[FakeWorldInConsul]:
    world = FakeWorldInConsul(consul, tmp_path)
    in_mesh(world)
    yield world
    world.close()


@pytest.fixture
def web(consul: Consul) -> Iterator[str]:
    """The name of a service for which a proxy is registered; nobody else has it."""
    name = f"web-{uuid.uuid4().hex[:8]}"
    register_proxy(consul.api, name)
    yield name
    deregister_proxy(consul.api, name)
    consul.api.delete(f"/v1/config/service-intentions/{name}")
