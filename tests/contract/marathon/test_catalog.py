"""A service moves from plain processes to Marathon while clients that know its name alone go on asking: there it has no
address as a whole, and each instance is listed where its agent put it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Address
from orchctl.testing.driver import Driver
from tests.contract.catalog_client import Client
from tests.contract.test_consul_move import drained
from tests.servers.consul.agent import Consul
from tests.worlds.catalog import Entries, registering
from tests.worlds.local import LocalWorld
from tests.worlds.marathon import MarathonWorld

pytestmark = pytest.mark.world_marathon


def test_a_service_moves_to_marathon_and_no_client_notices(
    local_world: LocalWorld, marathon_world: MarathonWorld, consul: Consul
) -> None:
    entries, name = Entries(consul.api), "moving-to-marathon"
    local_world.context = registering(local_world.context, consul.url)
    marathon_world.context = registering(marathon_world.context, consul.url)
    Driver(local_world).deploy(drained(local_world.service(), name))
    with Client(name, consul.ports["dns"]) as client:
        client.wait_for(50)
        assert Driver(marathon_world).deploy(drained(marathon_world.service(), name)).exit_code == 0
        client.wait_for(50)
        assert Driver(local_world).delete("web").exit_code == 0
        client.wait_for(50)
    assert client.failures == []
    there = [f"{e.host}:{e.port}" for e in Driver(marathon_world).discover("web")]
    assert len(there) == 2
    assert entries.passing(name) == sorted(there)
    assert {*client.answered} >= {*there}
    assert Driver(marathon_world).scale("web", "3").exit_code == 0
    assert len(entries.passing(name)) == 3
    assert Driver(marathon_world).delete("web").exit_code == 0
    assert entries.of(name) == []


def test_what_has_no_address_as_a_whole_is_told_and_runs(marathon_world: MarathonWorld, consul: Consul) -> None:
    """The default of a context: nothing would keep the addresses of instances fresh."""
    context = registering(marathon_world.context, consul.url)
    marathon_world.context = replace(context, register_address=Address.SERVICE)
    outcome = Driver(marathon_world).deploy(drained(marathon_world.service(), "as-a-whole"))
    assert (outcome.state, outcome.exit_code) == (OutcomeState.CONVERGED, 11)
    assert "has no address as a whole on marathon" in outcome.message
    assert "register: {address: instance}" in outcome.hint
    assert Driver(marathon_world).delete("web").exit_code == 0
