"""The same Marathon with its records and leases in a real Consul: there they can be compared and set.

A gate has what is about records and leases themselves; the rest of the kit it has in ``test_kit.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.core.stores import connect
from orchctl.testing import contract
from tests.servers.consul.agent import Consul
from tests.servers.marathon import Marathon
from tests.worlds.marathon import MarathonWorldInConsul

pytestmark = pytest.mark.world_marathon


@pytest.fixture
def world(
    marathon: Marathon | None, marathon_address: tuple[str, str], consul: Consul, tmp_path: Path
) -> Iterator[MarathonWorldInConsul]:
    world = MarathonWorldInConsul(marathon, *marathon_address, tmp_path, consul)
    world.clean()
    with world.counting():
        yield world
    world.close()


@pytest.mark.soak
class TestDeploy(contract.DeployContract): ...


@pytest.mark.soak
class TestFailure(contract.FailureContract): ...


@pytest.mark.soak
class TestScale(contract.ScaleContract): ...


@pytest.mark.soak
class TestHistory(contract.HistoryContract): ...


@pytest.mark.soak
class TestDiscover(contract.DiscoverContract): ...


class TestDelete(contract.DeleteContract): ...


class TestStore(contract.StoreContract): ...


class TestRace(contract.RaceContract): ...


@pytest.mark.soak
class TestSeveral(contract.SeveralContract): ...


@pytest.mark.soak
class TestLoad(contract.LoadContract): ...


def test_nothing_of_orchctls_own_is_in_marathon(world: MarathonWorldInConsul) -> None:
    with connect(world.backend, world.context) as connection:
        assert connection.store.fenced
        connection.store.create("test/web/r/00000001", b"body", {})
    assert world.api.send("GET", "/v2/groups/orchctl") is None
