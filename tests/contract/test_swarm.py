"""A real dockerd in swarm mode."""

import pytest

from orchctl.testing import contract
from tests.worlds.swarm import SwarmWorld

pytestmark = pytest.mark.world_swarm


@pytest.fixture
def world(swarm_world: SwarmWorld) -> SwarmWorld:
    return swarm_world


class TestCapability(contract.CapabilityContract): ...


class TestDeploy(contract.DeployContract): ...


class TestFailure(contract.FailureContract): ...


class TestScale(contract.ScaleContract): ...


class TestHistory(contract.HistoryContract): ...


class TestDiscover(contract.DiscoverContract): ...


class TestDelete(contract.DeleteContract): ...


class TestStore(contract.StoreContract): ...


class TestRace(contract.RaceContract): ...


class TestSeveral(contract.SeveralContract): ...


class TestLoad(contract.LoadContract): ...
