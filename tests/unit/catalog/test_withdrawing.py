"""What a delete leaves in the catalog when Consul was away at first, and when the deleter is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchctl.core.rollout import Event, OutcomeState
from orchctl.testing.driver import Driver
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Answered, Asked, Front, Strike
from tests.worlds.catalog import registering
from tests.worlds.fake import FakeWorld


class Killed(BaseException):
    """Nothing of the command runs any more."""


@pytest.fixture
def world(front: Front, tmp_path: Path) -> FakeWorld:
    """With one service, listed in a Consul in memory."""
    world = FakeWorld(tmp_path)
    world.context = registering(world.context, front.url, "edge")
    assert Driver(world).deploy(world.service()).exit_code == 0
    return world


def entries(server: FakeConsul) -> int:
    return sum(kind == "Service" for kind, _, _ in server.catalog.rows)


def away(look: Callable[[], None], *, times: int = 1) -> Strike:
    """The first listings find no leader; ``look`` is called before each write."""
    left = [times]

    def strike(asked: Asked, carry_out: Callable[[], Answered]) -> Answered:
        if asked.path == "/v1/health/state/any" and left[0]:
            left[0] -= 1
            return Answered(500, b"No cluster leader")
        if asked.path == "/v1/txn":
            look()
        return carry_out()

    return strike


def test_the_lease_and_the_records_go_after_what_is_listed(world: FakeWorld, front: Front, server: FakeConsul) -> None:
    """Who takes the lease next may list entries of his own, which must not be taken for ours."""
    seen: list[tuple[bool, int]] = []

    def look() -> None:
        lease = world.cluster.entries["test/web/lease"]
        seen.append((bool(lease.meta["token"]), sum("/r/" in key for key in world.cluster.entries)))

    front.strike = away(look)
    assert Driver(world).delete("web").exit_code == 0
    assert [*{*seen}] == [(True, 1)]
    assert (entries(server), world.cluster.entries) == (0, {})


def test_a_delete_that_is_killed_after_withdrawing_is_finished_by_the_next(
    world: FakeWorld, front: Front, server: FakeConsul
) -> None:
    def killed(event: Event) -> None:
        if event.text.startswith("registered in"):
            raise Killed

    front.strike = away(lambda: None)
    with pytest.raises(Killed):
        Driver(world, on_event=killed).delete("web")
    assert any("/r/" in key for key in world.cluster.entries), "or nobody would look into the catalog again"
    assert Driver(world).delete("web").state is OutcomeState.DELETED
    assert (entries(server), world.cluster.entries) == (0, {})


def test_a_delete_that_is_killed_before_withdrawing_is_finished_by_the_next(
    world: FakeWorld, front: Front, server: FakeConsul
) -> None:
    def killed(event: Event) -> None:
        if event.text == "removing what was generated":
            raise Killed

    front.strike = away(lambda: None)
    with pytest.raises(Killed):
        Driver(world, on_event=killed).delete("web")
    assert entries(server) == 2
    assert Driver(world).delete("web").exit_code == 0
    assert (entries(server), world.cluster.entries) == (0, {})


def test_what_cannot_be_withdrawn_keeps_no_service(world: FakeWorld, front: Front, server: FakeConsul) -> None:
    front.strike = away(lambda: None, times=2)
    outcome = Driver(world).delete("web")
    assert (outcome.state, outcome.exit_code, outcome.error_code) == (OutcomeState.DELETED, 11, "E0900")
    assert (entries(server), world.cluster.entries) == (2, {})
    assert [o.message for o in Driver(world).sync("web")] == ["2 removed"]
    assert entries(server) == 0
