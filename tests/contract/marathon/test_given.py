"""A Marathon that somebody else has started, as ORCHCTL_TEST_MARATHON_URL names one: ours, by its address alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.core.rollout import FailureKind, OutcomeState
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.servers.marathon import Marathon
from tests.worlds.marathon import MarathonWorld

pytestmark = pytest.mark.world_marathon


def test_with_its_mesos_the_processes_themselves_decide(server: Marathon, tmp_path: Path) -> None:
    world = MarathonWorld(None, server.url, server.mesos_url, tmp_path)
    outcome = Driver(world).deploy(world.service(Behaviour.CRASH))
    (failure,) = outcome.failures
    assert (outcome.state, failure.kind, failure.exit_code) == (OutcomeState.FAILED, FailureKind.CRASHED, 7)
    assert any("boom: cannot start" in line for line in failure.logs)
    world.clean()


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [(Behaviour.CRASH, FailureKind.CRASHED), (Behaviour.NEVER_READY, FailureKind.UNHEALTHY)],
)
def test_without_it_a_label_says_what_becomes_of_a_task(
    tmp_path: Path, behaviour: Behaviour, kind: FailureKind
) -> None:
    with Marathon(processes=False) as server:
        world = MarathonWorld(None, server.url, "", tmp_path)
        outcome = Driver(world).deploy(world.service(behaviour))
    assert (outcome.state, {f.kind for f in outcome.failures}) == (OutcomeState.FAILED, {kind})
