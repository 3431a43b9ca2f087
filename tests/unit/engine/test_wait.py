"""How long one look may take, and what instances are called."""

from pathlib import Path

import pytest

from orchctl.core.rollout import Instance
from orchctl.engine.lease import Lease
from orchctl.engine.wait import place_of
from orchctl.errors import WaitTimeout
from orchctl.testing.driver import Driver
from orchctl.testing.fake import FakeConnection
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


def test_a_look_may_not_outlast_the_first_of_the_deadlines(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(FakeConnection, "set_patience", lambda _self, seconds: asked.append(seconds))
    with pytest.raises(WaitTimeout):
        driver.within(3_000).deploy(world.service(Behaviour.NEVER_READY))
    looks, afterwards = asked[::2], asked[1::2]
    assert looks[0] <= 3.0
    assert looks == sorted(looks, reverse=True)
    assert looks[-1] == 1.0
    assert set(afterwards) == {30.0}


def test_a_renewal_may_not_outlast_the_deadline_either(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that hangs holds nobody beyond --timeout."""
    now: list[float] = [30.0]
    allowed: list[float] = []
    monkeypatch.setattr(FakeConnection, "set_patience", lambda _self, seconds: now.append(seconds))
    monkeypatch.setattr(Lease, "keep", lambda _self: allowed.append(now[-1]))
    with pytest.raises(WaitTimeout):
        driver.within(3_000).deploy(world.service(Behaviour.NEVER_READY))
    assert allowed[0] <= 3.0
    assert min(allowed) == 1.0


@pytest.mark.parametrize(("slot", "called"), [("2", "web.2"), ("web-5d8f-x7k2q", "web-5d8f-x7k2q"), ("", "an-id")])
def test_an_instance_is_called_by_its_place(slot: str, called: str) -> None:
    assert place_of("web", Instance(id="an-id", slot=slot)) == called
