"""Plain processes under a real supervisor."""

import pytest

from orchctl.testing import contract
from tests.worlds.local import LocalWorld

pytestmark = pytest.mark.world_local


@pytest.fixture
def world(local_world: LocalWorld) -> LocalWorld:
    return local_world


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
