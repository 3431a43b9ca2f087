"""A service moves from plain processes to a Swarm while clients that know its name alone go on asking."""

from __future__ import annotations

import pytest

from orchctl.testing.driver import Driver
from tests.contract.catalog_client import Client
from tests.contract.test_consul_move import drained
from tests.servers.consul.agent import Consul
from tests.worlds.catalog import Entries, registering
from tests.worlds.local import LocalWorld
from tests.worlds.swarm import SwarmWorld

pytestmark = pytest.mark.world_swarm


def test_a_service_moves_to_a_swarm_and_no_client_notices(
    local_world: LocalWorld, swarm_world: SwarmWorld, consul: Consul
) -> None:
    entries, name = Entries(consul.api), "moving-to-swarm"
    local_world.context = registering(local_world.context, consul.url)
    swarm_world.context = registering(swarm_world.context, consul.url)
    Driver(local_world).deploy(drained(local_world.service(), name))
    with Client(name, consul.ports["dns"]) as client:
        client.wait_for(50)
        assert Driver(swarm_world).deploy(drained(swarm_world.service(), name)).exit_code == 0
        client.wait_for(50)
        assert Driver(local_world).delete("web").exit_code == 0
        client.wait_for(50)
    assert client.failures == []
    there = [f"{e.host}:{e.port}" for e in Driver(swarm_world).discover("web")]
    assert entries.passing(name) == sorted(there)
    assert {*client.answered} >= {*there}
    assert Driver(swarm_world).delete("web").exit_code == 0
    assert entries.of(name) == []
