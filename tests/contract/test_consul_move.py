"""A service moves to another cluster while clients that know its name alone go on asking."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.service import Registration, Service, Stop
from orchctl.testing.driver import Driver
from tests.contract.catalog_client import Client
from tests.servers.consul.agent import Consul
from tests.worlds.catalog import ListedLocalWorld

pytestmark = pytest.mark.world_consul

DRAIN_MS = 5_000
"""What a client found just before is served that long; the catalog learns of it within that time."""


@pytest.fixture
def worlds(consul: Consul, tmp_path: Path) -> Iterator[tuple[ListedLocalWorld, ListedLocalWorld]]:
    if sys.platform != "linux":
        pytest.skip("the truth about processes is read from /proc")
    found = ListedLocalWorld(consul, tmp_path / "a"), ListedLocalWorld(consul, tmp_path / "b")
    yield found
    for world in found:
        world.close()


def drained(service: Service, name: str) -> Service:
    return replace(service, register=Registration(name=name), stop=Stop(grace_ms=2_000, drain_ms=DRAIN_MS))


def test_a_service_moves_and_no_client_notices(
    worlds: tuple[ListedLocalWorld, ListedLocalWorld], consul: Consul
) -> None:
    """Two clusters of plain processes; tests/contract/test_swarm_catalog.py moves one to a Swarm."""
    here, there = worlds
    name = f"moving-{here.context.cluster}"
    Driver(here).deploy(drained(here.service(), name))
    before = {*here.entries.passing(name)}
    with Client(name, consul.ports["dns"]) as client:
        client.wait_for(50)
        assert Driver(there).deploy(drained(there.service(greeting="there"), name)).exit_code == 0
        client.wait_for(50)
        assert Driver(here).delete("web").exit_code == 0
        client.wait_for(50)
        assert Driver(there).deploy(drained(there.service(greeting="newer"), name)).exit_code == 0
        client.wait_for(50)
    assert client.failures == []
    assert client.total >= 200
    now = {*there.entries.passing(name)}
    assert len(now) == 2
    assert now.isdisjoint(before)
    assert {*client.answered} >= now
    assert here.entries.nodes(here.context.cluster) == []
