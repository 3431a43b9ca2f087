"""What a way back keeps and asks: on the cluster in memory, where time is virtual."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.testing.driver import Driver
from orchctl.testing.fake_cluster import Fault, FaultKind
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


def test_a_way_back_looks_once_at_what_it_changes(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    since = len(world.cluster.log)
    assert driver.deploy(world.service(Behaviour.CRASH)).state is OutcomeState.ROLLED_BACK
    asked = world.cluster.log[since:]
    second_record = [n for n, name in enumerate(asked) if name.startswith("create")][-1]
    judged = [n for n, name in enumerate(asked[:second_record]) if name == "poll"][-1]
    assert asked[judged:second_record].count("live") == 1


@pytest.mark.parametrize("kind", [FaultKind.STALE, FaultKind.BUMPED])
def test_a_stopped_service_starts_again_also_when_somebody_moved_its_version(
    world: FakeWorld, driver: Driver, kind: FaultKind
) -> None:
    for greeting in ("one", "two"):
        driver.deploy(replace(world.service(greeting=greeting), replicas=None))
    driver.scale("web", "0")
    world.cluster.set_fault(Fault(kind, 0, only="apply"))
    assert driver.rollback("web").state is OutcomeState.CONVERGED
    assert world.cluster.definitions["test", "web"].replicas > 0
