"""Records and leases in a real Consul: the kit that every backend passes, with ``store = "consul"``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.testing import contract
from tests.servers.consul.agent import Consul
from tests.worlds.consul import FakeWorldInConsul

pytestmark = pytest.mark.world_consul


@pytest.fixture
def world(consul: Consul, tmp_path: Path) -> Iterator[FakeWorldInConsul]:
    world = FakeWorldInConsul(consul, tmp_path)
    yield world
    world.close()


class TestDeploy(contract.DeployContract): ...


class TestFailure(contract.FailureContract): ...


class TestScale(contract.ScaleContract): ...


class TestHistory(contract.HistoryContract): ...


class TestDiscover(contract.DiscoverContract): ...


class TestDelete(contract.DeleteContract): ...


class TestStore(contract.StoreContract): ...


class TestRace(contract.RaceContract): ...


class TestSeveral(contract.SeveralContract): ...
