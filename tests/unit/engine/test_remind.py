"""A backend that leaves a rollout undone is told its definition again: journalled, a few times at most, and truthfully."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchctl.core.rollout import EventKind, FailureKind, Outcome, OutcomeState
from orchctl.errors import LeaseLost, WaitTimeout
from orchctl.testing.driver import Driver
from orchctl.testing.fake import FakeWriter
from orchctl.testing.fake_cluster import Fault, FaultKind, Killed
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld

VERBS: dict[str, Callable[[Driver], Outcome]] = {
    "deploy": lambda driver: driver.deploy(driver.world.service(greeting="two")),
    "restart": lambda driver: driver.restart("web"),
    "scale": lambda driver: driver.scale("web", "3"),
    "rollback": lambda driver: driver.rollback("web"),
}


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path / "state")


@pytest.fixture
def driver(world: FakeWorld) -> Driver:
    """``web`` runs, and its next change leaves one instance too many."""
    for greeting in ("zero", "one"):
        Driver(world).deploy(world.service(greeting=greeting))
    world.cluster.surplus = 1
    return Driver(world)


def reminders(world: FakeWorld) -> int:
    return world.cluster.log.count("remind")


def journal(world: FakeWorld) -> list[dict[str, object]]:
    path = max((world.context.state_dir / "journal" / "fake" / "test" / "web").glob("*.jsonl"))
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_that_waits_reminds_once_and_converges(world: FakeWorld, driver: Driver, verb: str) -> None:
    assert VERBS[verb](driver).state is OutcomeState.CONVERGED
    assert reminders(world) == 1
    assert len(world.truth("web").running) == world.cluster.definitions["test", "web"].replicas


def test_the_way_back_reminds_too(world: FakeWorld, driver: Driver) -> None:
    assert driver.deploy(world.service(Behaviour.MISSING_IMAGE, greeting="bad")).state is OutcomeState.ROLLED_BACK
    assert reminders(world) == 1
    assert len(world.truth("web").running) == 2


def test_what_is_sent_stands_in_the_journal_before_it_is_sent(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="two"))
    at = [line["step"] for line in journal(world)].index("remind")
    line = journal(world)[at]
    assert line["stalled"] == "surplus instances are left running"
    assert line["expect"] == str(world.cluster.definitions["test", "web"].version)
    assert any(e.kind is EventKind.STEP and "surplus instances are left running" in e.text for e in driver.events)


def test_what_the_backend_mends_by_itself_within_a_moment_is_left_to_it(world: FakeWorld, driver: Driver) -> None:
    seen: list[float] = []

    def mend(event: object) -> None:
        if not seen and any("surplus" in e.text for e in driver.events):
            seen.append(world.clock.now())
            world.cluster.surplus = 0

    driver.on_event = mend
    assert driver.deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
    assert seen
    assert reminders(world) == 0


def test_a_backend_that_does_not_listen_is_told_three_times_and_the_rollout_fails_at_its_deadline(
    world: FakeWorld, driver: Driver
) -> None:
    world.cluster.deaf = True
    outcome = driver.scale("web", "3")
    assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
    assert [f.kind for f in outcome.failures] == [FailureKind.DEADLINE]
    assert "1 surplus instance" in outcome.failures[0].message
    assert reminders(world) == 3


def fail_reminders(world: FakeWorld, monkeypatch: pytest.MonkeyPatch, kind: FaultKind, times: int = 1) -> None:
    """The next reminder meets a fault; everything else arrives."""
    remind, left = FakeWriter.remind, [times]

    def faulty(self: FakeWriter, *words: object, **more: object) -> None:
        left[0] -= 1
        # The fence looks first, and may write.
        world.cluster.set_fault(Fault(kind, 0) if left[0] >= 0 else None)
        try:
            remind(self, *words, **more)  # type: ignore[arg-type]
        finally:
            world.cluster.fault = None

    monkeypatch.setattr(FakeWriter, "remind", faulty)


@pytest.mark.parametrize("kind", [FaultKind.UNREACHABLE, FaultKind.ANSWER_LOST, FaultKind.AUTH, FaultKind.STALE])
def test_a_reminder_that_fails_is_told_and_decides_nothing(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch, kind: FaultKind
) -> None:
    fail_reminders(world, monkeypatch, kind)
    assert driver.deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
    assert any(e.kind is EventKind.PROBLEM and "not reminded" in e.text for e in driver.events)


def test_without_the_lease_nothing_is_sent(world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_words: object, **_more: object) -> None:
        raise LeaseLost("somebody took it over")

    monkeypatch.setattr(FakeWriter, "remind", lost)
    with pytest.raises(LeaseLost):
        driver.deploy(world.service(greeting="two"))


@pytest.mark.parametrize("kind", [FaultKind.KILL_BEFORE, FaultKind.KILL_AFTER])
def test_the_same_command_after_a_kill_at_the_reminder_converges(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch, kind: FaultKind
) -> None:
    fail_reminders(world, monkeypatch, kind)
    with pytest.raises(Killed):
        driver.deploy(world.service(greeting="two"))
    monkeypatch.undo()
    world.cluster.set_fault(None)
    assert Driver(world).deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
    assert len(world.truth("web").running) == 2


def test_a_timeout_comes_first_where_it_is_shorter(world: FakeWorld, driver: Driver) -> None:
    world.cluster.deaf = True
    with pytest.raises(WaitTimeout, match="surplus instance"):
        driver.within(4_000).deploy(world.service(greeting="two"))


def test_status_says_what_is_left_undone(world: FakeWorld, driver: Driver) -> None:
    world.cluster.deaf = True
    driver.scale("web", "3")
    assert driver.status("web").message == "surplus instances are left running"
