"""What is on disk before anything is sent."""

import json
import os
from pathlib import Path

import pytest

from orchctl.engine import journal
from orchctl.errors import UsageError
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path / "state")


def lines(world: FakeWorld) -> list[dict[str, object]]:
    (path,) = (world.context.state_dir / "journal" / "fake" / "test" / "web").glob("*.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_intent_stands_before_the_confirmation(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    assert [line["step"] for line in lines(world)] == ["record", "intent", "confirmed", "recorded"]


def test_without_a_journal_nothing_is_sent(world: FakeWorld, driver: Driver) -> None:
    world.context.state_dir.mkdir()
    (world.context.state_dir / "journal").write_text("a file where a directory should be")
    with pytest.raises(UsageError, match="cannot be written"):
        driver.deploy(world.service())
    assert world.cluster.definitions == {}


def test_the_journal_of_a_user_is_nobody_elses(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    (path,) = (world.context.state_dir / "journal" / "fake" / "test" / "web").glob("*.jsonl")
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_only_the_newest_operations_are_kept(world: FakeWorld, driver: Driver) -> None:
    for number in range(25):
        journal.open_journal(
            world.context, namespace="test", name="web", verb="scale", token=f"{number:08}", at="2030-01-01T00:00:00Z"
        ).close()
    directory = world.context.state_dir / "journal" / "fake" / "test" / "web"
    assert sorted(p.stem[-8:] for p in directory.iterdir()) == [f"{n:08}" for n in range(5, 25)]


def test_only_the_newest_evidence_is_kept(world: FakeWorld) -> None:
    for number in range(95, 120):
        journal.write_evidence(world.context, namespace="test", name="web", revision=number, document={"n": number})
    assert {p.name for p in (world.context.state_dir / "evidence" / "fake" / "test" / "web").iterdir()} == {
        f"r{n}.json" for n in range(100, 120)
    }


def test_evidence_that_cannot_be_kept_does_not_hide_the_failure(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    (world.context.state_dir / "evidence").write_text("a file where a directory should be")
    outcome = driver.deploy(world.service(Behaviour.CRASH, greeting="bad"))
    assert outcome.exit_code == 8
    assert any("evidence could not be kept" in e.text for e in driver.events)


def test_a_deleted_service_leaves_no_trace(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    driver.deploy(world.service(Behaviour.CRASH, greeting="bad"))
    driver.delete("web")
    assert os.listdir(world.context.state_dir) == []
    assert journal.read_evidence(world.context, namespace="test", name="web", revision=2) is None
