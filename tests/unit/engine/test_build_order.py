"""An older build never replaces a newer one, whoever is first or last."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.engine.rollout import DeployOptions
from orchctl.errors import OlderSource
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


@pytest.fixture
def driver(world: FakeWorld) -> Driver:
    return Driver(world)


def build(number: int | None, **more: bool) -> DeployOptions:
    return DeployOptions(source_seq=number, **more)  # type: ignore[arg-type]


def test_the_number_stands_in_the_record(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(), build(41))
    assert [r.source_seq for r in driver.history("web")] == [41]


def test_an_older_build_is_refused_and_writes_nothing(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="new"), build(42))
    writes = world.writes()
    with pytest.raises(OlderSource) as refused:
        driver.deploy(world.service(greeting="old"), build(41))
    assert (refused.value.given, refused.value.deployed, refused.value.revision) == (41, 42, 1)
    assert world.writes() == writes


def test_the_same_number_again_is_fine(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"), build(7))
    assert driver.deploy(world.service(greeting="two"), build(7)).state is OutcomeState.CONVERGED


def test_without_a_number_nothing_is_compared(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"), build(7))
    assert driver.deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
    with pytest.raises(OlderSource):
        driver.deploy(world.service(greeting="one"), build(6))


def test_zero_is_a_number(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"), build(1))
    with pytest.raises(OlderSource):
        driver.deploy(world.service(greeting="two"), build(0))


def test_allowed_an_older_build_is_deployed_and_the_highest_number_still_counts(
    world: FakeWorld, driver: Driver
) -> None:
    driver.deploy(world.service(greeting="new"), build(9))
    assert driver.deploy(world.service(greeting="old"), build(5, allow_older=True)).state is OutcomeState.CONVERGED
    with pytest.raises(OlderSource) as refused:
        driver.deploy(world.service(greeting="between"), build(7))
    assert refused.value.deployed == 9


def test_a_rollback_has_no_number_and_does_not_make_old_builds_new(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"), build(1))
    driver.deploy(world.service(greeting="two"), build(2))
    assert driver.rollback("web").state is OutcomeState.CONVERGED
    assert [r.source_seq for r in driver.history("web")] == [None, 2, 1]
    with pytest.raises(OlderSource):
        driver.deploy(world.service(greeting="three"), build(1))
    assert driver.deploy(world.service(greeting="three"), build(3)).state is OutcomeState.CONVERGED


def test_a_build_that_failed_was_never_deployed(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"), build(1))
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad"), build(3)).state is OutcomeState.ROLLED_BACK
    assert driver.deploy(world.service(greeting="two"), build(2)).state is OutcomeState.CONVERGED


def test_a_build_that_was_sent_without_waiting_counts(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="new"), replace(build(3), limits=replace(driver.limits, wait=False)))
    with pytest.raises(OlderSource):
        driver.deploy(world.service(greeting="old"), build(2))


def test_a_newer_build_without_changes_is_noted_once_and_stops_the_late_one(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"), build(1))
    assert driver.deploy(world.service(greeting="one"), build(3)).state is OutcomeState.UNCHANGED
    assert [r.source_seq for r in driver.history("web")] == [3]
    writes = world.writes()
    assert driver.deploy(world.service(greeting="one"), build(3)).state is OutcomeState.UNCHANGED
    assert world.writes() == writes
    with pytest.raises(OlderSource):
        driver.deploy(world.service(greeting="late"), build(2))


def test_a_noted_number_outlives_the_next_deploy(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"), build(1))
    driver.deploy(world.service(greeting="one"), build(5))
    driver.deploy(world.service(greeting="two"))
    assert [r.source_seq for r in driver.history("web")] == [None, 5]


def test_of_several_services_one_that_is_newer_stops_all_before_anything_is_sent(
    world: FakeWorld, driver: Driver
) -> None:
    driver.deploy(world.service(name="b"), build(9))
    writes = world.writes()
    with pytest.raises(OlderSource):
        driver.deploy_all([world.service(name="a"), world.service(name="b")], build(8))
    assert world.writes() == writes


def test_several_unchanged_services_note_a_newer_build(world: FakeWorld, driver: Driver) -> None:
    services = [world.service(name="a"), world.service(name="b")]
    driver.deploy_all(services, build(1))
    assert {o.state for o in driver.deploy_all(services, build(2))} == {OutcomeState.UNCHANGED}
    assert [driver.history(name)[0].source_seq for name in "ab"] == [2, 2]


@pytest.mark.parametrize("seed", range(40))
def test_of_two_builds_at_once_the_newer_stands_at_the_end(tmp_path: Path, seed: int) -> None:
    """The older one looks before the newer one has finished, so what counts is the look under the lease."""
    world = FakeWorld(tmp_path, seed=seed)

    def deploy(number: int) -> Outcome:
        return Driver(world).deploy(world.service(greeting=f"build {number}"), build(number))

    older, newer = world.at_once([lambda: deploy(1), lambda: deploy(2)])
    assert isinstance(newer, Outcome)
    assert isinstance(older, (Outcome, OlderSource))
    assert {env["GREETING"] for env in world.truth("web").running.values()} == {"build 2"}
