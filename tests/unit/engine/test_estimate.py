"""How long a rollout takes as a rule, from the records of those before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchctl.core.revision import Recorded, Revision, RevisionStatus
from orchctl.core.rollout import Event, OutcomeState
from orchctl.core.service import Service
from orchctl.engine.estimate import TOOK, usual_ms
from orchctl.testing.driver import Driver
from orchctl.testing.fake_cluster import Fault, FaultKind, Killed
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld

DEPLOYED, SUPERSEDED, FAILED = RevisionStatus.DEPLOYED, RevisionStatus.SUPERSEDED, RevisionStatus.FAILED


def recorded(status: RevisionStatus, took: str) -> Recorded:
    revision = Revision(
        number=1,
        service=Service(name="web", namespace="shop"),
        template_hash="",
        spec_hash="",
        replicas=1,
        created_at="",
        created_by="",
    )
    return Recorded(revision=revision, status=status, version="1", extra={TOOK: took} if took else {})


@pytest.mark.parametrize(
    ("records", "usual"),
    [
        ([], 0),
        ([(DEPLOYED, "")], 0),
        ([(DEPLOYED, "4000")], 4000),
        ([(DEPLOYED, "9000"), (SUPERSEDED, "1000"), (SUPERSEDED, "2000")], 2000),
        ([(FAILED, "90000"), (DEPLOYED, "4000")], 4000),
        ([(DEPLOYED, "²"), (SUPERSEDED, "-1"), (SUPERSEDED, "9" * 30)], 0),
        ([(DEPLOYED, "1")] + [(SUPERSEDED, "1")] * 4 + [(SUPERSEDED, "99")] * 20, 1),
    ],
)
def test_the_middle_of_the_newest_good_ones_counts(records: Sequence[tuple[RevisionStatus, str]], usual: int) -> None:
    assert usual_ms([recorded(*one) for one in records]) == usual


def told(events: Sequence[Event]) -> list[int]:
    return [event.usual_ms for event in events if event.usual_ms]


def test_a_rollout_is_timed_and_the_next_one_says_how_long_it_usually_takes(tmp_path: Path) -> None:
    world = FakeWorld(tmp_path)
    first, second = Driver(world), Driver(world)
    started = world.clock.now()
    first.deploy(world.service(greeting="one"))
    took_ms = (world.clock.now() - started) * 1000
    assert told(first.events) == []
    assert 0 < int(first.history("web")[0].extra[TOOK]) <= took_ms
    second.deploy(world.service(greeting="two"))
    assert told(second.events) == [int(first.history("web")[1].extra[TOOK])]


def test_a_bad_release_is_no_measure_and_its_rollback_is_one(tmp_path: Path) -> None:
    world = FakeWorld(tmp_path)
    Driver(world).deploy(world.service(greeting="one"))
    driver = Driver(world)
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad")).state is OutcomeState.ROLLED_BACK
    assert len(told(driver.events)) == 2
    assert [TOOK in r.extra for r in driver.history("web")] == [True, False, True]


def test_a_rollout_that_was_interrupted_is_no_measure(tmp_path: Path) -> None:
    world = FakeWorld(tmp_path)
    Driver(world).deploy(world.service(greeting="one"))
    world.cluster.set_fault(Fault(FaultKind.KILL_AFTER, at=8))
    with pytest.raises(Killed):
        Driver(world).deploy(world.service(greeting="two"))
    world.cluster.set_fault(None)
    assert Driver(world).history("web")[0].status is RevisionStatus.PENDING
    assert Driver(world).deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
    newest = Driver(world).history("web")[0]
    assert (newest.revision.number, newest.status, TOOK in newest.extra) == (2, DEPLOYED, False)
