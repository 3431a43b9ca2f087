"""``--timeout`` bounds the whole command, its locks included; the way back has a limit of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.engine.lease import acquire
from orchctl.errors import LeaseHeld, WaitTimeout
from orchctl.testing import fake_cluster
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.unit.engine.test_lease import ELSEWHERE
from tests.worlds.fake import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


@pytest.mark.parametrize(
    "verb",
    [
        lambda driver, world: driver.deploy(world.service(greeting="two")),
        lambda driver, _world: driver.restart("web"),
        lambda driver, _world: driver.delete("web"),
    ],
    ids=["deploy", "restart", "delete"],
)
def test_a_lock_is_waited_for_no_longer_than_the_command_may_take(
    world: FakeWorld, driver: Driver, verb: Callable[[Driver, FakeWorld], object]
) -> None:
    driver.deploy(world.service())
    store = world.backend.connect(world.context).store
    acquire(
        store, namespace="test", name="web", holder=ELSEWHERE, clock=world.clock, timeout_ms=0, on_wait=lambda _: None
    )
    patient = replace(driver, limits=replace(driver.limits, lock_timeout_ms=300_000))
    began = world.clock.now()
    with pytest.raises(LeaseHeld):
        verb(patient.within(5_000), world)
    assert world.clock.now() - began <= 5.1


def test_what_the_lock_took_is_gone_for_the_rollout(world: FakeWorld, driver: Driver) -> None:
    """One clock for both: a lock that came free late leaves the rest of the time only."""
    driver.deploy(world.service())
    store = world.backend.connect(world.context).store
    dead = replace(ELSEWHERE, token="gone")
    acquire(store, namespace="test", name="web", holder=dead, clock=world.clock, timeout_ms=0, on_wait=lambda _: None)
    patient = replace(driver, limits=replace(driver.limits, lock_timeout_ms=300_000))
    began = world.clock.now()
    with pytest.raises(WaitTimeout):
        patient.within(75_000).deploy(world.service(Behaviour.NEVER_READY, greeting="two"))
    assert 74 <= world.clock.now() - began <= 75.1


def test_a_delete_ends_at_its_time(world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause between two looks had grown to five seconds, and was slept whole."""
    monkeypatch.setattr(fake_cluster, "_STOP_S", 1_000.0)
    driver.deploy(world.service())
    began = world.clock.now()
    with pytest.raises(WaitTimeout):
        driver.within(7_300).delete("web")
    assert world.clock.now() - began <= 7.4


def test_the_way_back_goes_on_beyond_the_timeout_to_its_own_deadline(world: FakeWorld, driver: Driver) -> None:
    """Half a rollback would leave the users of the service with neither version."""
    driver.deploy(world.service())
    bad = world.service(Behaviour.CRASH, greeting="two")
    began = world.clock.now()
    outcome = driver.within(8_000).deploy(bad)
    assert outcome.state in (OutcomeState.ROLLED_BACK, OutcomeState.IN_PROGRESS)
    assert world.clock.now() - began <= 8 + bad.rollout.deadline_ms / 1000 + 2
