"""How long one look may take."""

from pathlib import Path

import pytest

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
