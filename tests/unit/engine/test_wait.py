"""How long one look may take, and what instances are called."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import Event, EventKind, Handle, Instance, OutcomeState, Progress
from orchctl.engine.lease import Lease
from orchctl.engine.wait import place_of
from orchctl.errors import Conflict, Unreachable, WaitTimeout
from orchctl.testing.driver import Driver
from orchctl.testing.fake import FakeConnection, FakeReader
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


def test_a_renewal_may_not_outlast_the_deadline_either(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that hangs holds nobody beyond --timeout."""
    now: list[float] = [30.0]
    allowed: list[float] = []
    monkeypatch.setattr(FakeConnection, "set_patience", lambda _self, seconds: now.append(seconds))
    monkeypatch.setattr(Lease, "keep", lambda _self: allowed.append(now[-1]))
    with pytest.raises(WaitTimeout):
        driver.within(3_000).deploy(world.service(Behaviour.NEVER_READY))
    assert allowed[0] <= 3.0
    assert min(allowed) == 1.0


WEB = ("test", "web")


@pytest.mark.parametrize(
    ("meddle", "told"),
    [
        (
            lambda world: world.cluster.define(WEB, world.service(greeting="theirs"), revision=0),
            "changed by somebody else",
        ),
        (lambda world: world.cluster.definitions.pop(WEB), "deleted by somebody else"),
    ],
    ids=["changed", "deleted"],
)
def test_a_stranger_who_meddles_with_a_rollout_is_told_of_and_not_overwritten(
    world: FakeWorld, driver: Driver, meddle: Callable[[FakeWorld], object], told: str
) -> None:
    """Somebody without a lease, as with the backend's own tools: what was waited for will never be there."""
    driver.deploy(world.service(greeting="one"))
    waiting, left = iter([True]), list[object]()

    def at(event: Event) -> None:
        if event.kind is EventKind.INSTANCE and next(waiting, False):
            meddle(world)
            left.append(world.cluster.definitions.get(WEB))

    with pytest.raises(Conflict, match=f"was {told} while it was rolled out") as caught:
        replace(driver, on_event=at).deploy(world.service(Behaviour.NEVER_READY))
    assert caught.value.exit_code == 5
    assert [world.cluster.definitions.get(WEB)] == left
    assert driver.history("web")[0].status is RevisionStatus.PENDING, "nobody knows how it would have ended"


def test_only_a_fresh_look_decides_at_the_deadline(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new version became healthy while nothing could be read: that is no failed revision."""
    driver.deploy(world.service(greeting="one"))
    looks: list[Handle] = []
    real = FakeReader.poll

    def failing(self: FakeReader, handle: Handle) -> Progress:
        looks.append(handle)
        if len(looks) > 3:
            raise Unreachable("reads fail")
        return real(self, handle)

    monkeypatch.setattr(FakeReader, "poll", failing)
    with pytest.raises(WaitTimeout, match=r"rollout\.deadline.*cannot be read"):
        driver.deploy(world.service(greeting="two"))
    assert driver.history("web")[0].status is RevisionStatus.PENDING
    monkeypatch.setattr(FakeReader, "poll", real)
    assert driver.deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED


def test_a_look_soon_after_the_deadline_decides(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, back_at = FakeReader.poll, world.clock.now() + 605

    def failing(self: FakeReader, handle: Handle) -> Progress:
        if world.clock.now() < back_at:
            raise Unreachable("reads fail")
        return real(self, handle)

    monkeypatch.setattr(FakeReader, "poll", failing)
    service = world.service()
    soaking = replace(service, rollout=replace(service.rollout, min_ready_ms=0))
    assert driver.deploy(soaking).state is OutcomeState.CONVERGED


@pytest.mark.parametrize(("slot", "called"), [("2", "web.2"), ("web-5d8f-x7k2q", "web-5d8f-x7k2q"), ("", "an-id")])
def test_an_instance_is_called_by_its_place(slot: str, called: str) -> None:
    assert place_of("web", Instance(id="an-id", slot=slot)) == called
