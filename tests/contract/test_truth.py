"""What an outcome says is so, and what the next command makes of it: on the cluster in memory, where time is virtual."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import FailureKind, OutcomeState
from orchctl.engine.operation import Limits
from orchctl.errors import OutcomeUnknown, StalePlan, WaitTimeout
from orchctl.testing.driver import Driver
from orchctl.testing.fake import FakeWriter
from orchctl.testing.fake_cluster import Definition
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


def definition(world: FakeWorld) -> Definition:
    return world.cluster.definitions["test", "web"]


def test_what_is_unchanged_and_not_ready_is_no_success(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    for replica in world.cluster.replicas["test", "web"]:
        replica.ready, replica.service = False, world.service(Behaviour.NEVER_READY)
    writes = world.writes()
    outcome = driver.deploy(world.service())
    assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
    assert outcome.failures[0].kind is FailureKind.UNHEALTHY
    assert world.writes() == writes
    assert [(r.revision.number, r.status) for r in driver.history("web")] == [(1, RevisionStatus.DEPLOYED)]
    with pytest.raises(WaitTimeout):
        driver.within(1_000).deploy(world.service())


def test_of_several_only_what_is_ready_is_unchanged(world: FakeWorld, driver: Driver) -> None:
    services = [world.service(name=name) for name in ("api", "web")]
    driver.deploy_all(services)
    world.kill_instance("web")
    assert [o.state for o in driver.deploy_all(services)] == [OutcomeState.UNCHANGED] * 2
    assert driver.status("web").ready == 2


def test_without_waiting_what_is_not_ready_is_in_progress(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    world.kill_instance("web")
    hasty = replace(driver, limits=Limits(wait=False))
    assert hasty.deploy(world.service()).state is OutcomeState.IN_PROGRESS


def test_a_restart_is_not_what_moved_the_version(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's change, a label or a count, at the moment of our write is no restart."""
    driver.deploy(world.service())
    before = set(world.truth("web").running)
    real = FakeWriter.restart

    def raced(self: FakeWriter, namespace: str, name: str, *, expect: str) -> object:
        monkeypatch.setattr(FakeWriter, "restart", real)
        definition(world).version = world.cluster.next_version()
        return real(self, namespace, name, expect=expect)

    monkeypatch.setattr(FakeWriter, "restart", raced)
    assert driver.restart("web").state is OutcomeState.CONVERGED
    assert not before & set(world.truth("web").running)
    assert definition(world).epoch == 1


@pytest.mark.parametrize("arrives", [True, False])
def test_a_restart_whose_answer_was_lost_is_made_once(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    driver.deploy(world.service())
    real = FakeWriter.restart

    def lost(self: FakeWriter, namespace: str, name: str, *, expect: str) -> object:
        monkeypatch.setattr(FakeWriter, "restart", real)
        if arrives:
            real(self, namespace, name, expect=expect)
        else:
            definition(world).version = world.cluster.next_version()
        raise OutcomeUnknown("no answer")

    monkeypatch.setattr(FakeWriter, "restart", lost)
    assert driver.restart("web").state is OutcomeState.CONVERGED
    assert definition(world).epoch == 1


def test_a_restart_long_after_one_that_nobody_watched_is_a_new_one(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    with pytest.raises(WaitTimeout):
        driver.within(50).restart("web")
    world.clock.sleep(601)
    driver.restart("web")
    assert definition(world).epoch == 2


def test_a_restart_that_was_not_to_be_watched_is_not_waited_for_by_the_next(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    hasty = replace(driver, limits=Limits(wait=False))
    assert hasty.restart("web").state is OutcomeState.IN_PROGRESS
    driver.restart("web")
    assert definition(world).epoch == 2


def test_a_restart_after_a_stale_version_gives_up_in_the_end(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.deploy(world.service())

    def refuse(self: FakeWriter, namespace: str, name: str, *, expect: str) -> object:
        raise StalePlan("moved")

    monkeypatch.setattr(FakeWriter, "restart", refuse)
    with pytest.raises(StalePlan):
        driver.restart("web")
    assert definition(world).epoch == 0
