"""Deployers that switch at every request, by a seeded choice: one winner, never a blend."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.engine.holder import this_process
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.fake_cluster import Fault, FaultKind, Killed
from tests.rounds import SEEDS
from tests.worlds.fake import FakeWorld


def check(world: FakeWorld, results: list[Outcome | BaseException]) -> None:
    assert [getattr(r, "state", r) for r in results] == [OutcomeState.CONVERGED] * len(results)
    history = Driver(world).history("web")
    assert [r.revision.number for r in history] == list(range(len(results), 0, -1))
    assert [r.status for r in history] == [RevisionStatus.DEPLOYED] + [RevisionStatus.SUPERSEDED] * (len(results) - 1)
    newest = str(history[0].revision.service.env["GREETING"])
    assert greetings(world.truth("web")) == [newest, newest]


@pytest.mark.parametrize("block", range(10))
def test_two_deployers(tmp_path: Path, block: int) -> None:
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        world = FakeWorld(tmp_path / str(seed), seed=seed)
        drivers = [Driver(world, holder=this_process(str(n))) for n in range(2)]
        actions = [partial(d.deploy, world.service(greeting=f"g{n}")) for n, d in enumerate(drivers)]
        check(world, world.at_once(actions))


@pytest.mark.parametrize("seed", range(max(1, SEEDS // 15)))
def test_eight_deployers(tmp_path: Path, seed: int) -> None:
    world = FakeWorld(tmp_path, seed=seed)
    drivers = [Driver(world, holder=this_process(str(n))) for n in range(8)]
    actions = [partial(d.deploy, world.service(greeting=f"g{n}")) for n, d in enumerate(drivers)]
    check(world, world.at_once(actions))


@pytest.mark.parametrize("at", range(0, 21, 3))
def test_a_second_deployer_goes_on_when_the_first_is_killed(tmp_path: Path, at: int) -> None:
    """The killed one's host is another machine, so only the standing-still of its lease tells that it is dead."""
    world = FakeWorld(tmp_path)
    first = Driver(world, holder=this_process("killed"))
    world.cluster.set_fault(Fault(FaultKind.KILL_BEFORE, at))
    with pytest.raises(Killed):
        first.deploy(world.service(greeting="lost"))
    world.cluster.set_fault(None)
    started = world.clock.now()
    outcome = Driver(world, holder=this_process("second")).deploy(world.service(greeting="won"))
    assert outcome.state is OutcomeState.CONVERGED
    assert world.clock.now() - started <= 90
    assert greetings(world.truth("web")) == ["won", "won"]
