"""A Marathon on a simulated Mesos with real processes, or any that ORCHCTL_TEST_MARATHON_URL names."""

import pytest

from orchctl.core.store import Store
from orchctl.testing import contract
from tests.worlds.marathon import MarathonWorld

pytestmark = pytest.mark.world_marathon


@pytest.fixture
def world(marathon_world: MarathonWorld) -> MarathonWorld:
    return marathon_world


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


def test_what_two_would_change_at_once_is_not_promised(world: MarathonWorld) -> None:
    store: Store = world.backend.connect(world.context).store
    assert not store.fenced
