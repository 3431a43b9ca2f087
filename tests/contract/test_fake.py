"""The fake passes the kit that the real backends pass."""

from pathlib import Path

import pytest

from orchctl.testing import contract
from tests.worlds.fake import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


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
