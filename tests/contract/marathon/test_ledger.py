"""Records and leases that Marathon itself keeps: two deployers side by side, and one that died."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from orchctl.core import stores
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Service
from orchctl.engine.clock import SystemClock
from orchctl.engine.holder import Holder, this_process
from orchctl.engine.lease import GRACE_S, TTL_MS, Lease, acquire
from orchctl.errors import LeaseHeld, LeaseLost
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.rounds import RACES
from tests.servers.marathon import Marathon
from tests.worlds.marathon import MarathonWorld

pytestmark = pytest.mark.world_marathon


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MarathonWorld]:
    """Tasks are records without a process: only who wins is asked here."""
    with Marathon(processes=False) as server:
        yield MarathonWorld(server, server.url, "", tmp_path)


def plain(world: MarathonWorld, greeting: str) -> Service:
    service = world.service(greeting=greeting).sized(1)
    return replace(service, rollout=replace(service.rollout, min_ready_ms=0))


def test_two_deployers_are_never_a_blend(world: MarathonWorld) -> None:
    """As on two machines, so that a lease is only taken when it was given back."""
    for turn in range(RACES):
        holders = [replace(this_process(n), host=n, boot=n) for n in ("a", "b")]
        drivers = [Driver(world, holder=h) for h in holders]
        wanted = [f"{h.host}{turn}" for h in holders]
        actions = [partial(d.deploy, plain(world, g)) for d, g in zip(drivers, wanted, strict=True)]
        results = world.at_once(actions)
        assert [getattr(r, "state", r) for r in results] == [OutcomeState.CONVERGED] * 2
        history = Driver(world).history("web")
        newest, former = history[0], history[1]
        final = newest.revision.service.env["GREETING"]
        assert {final, former.revision.service.env["GREETING"]} == set(wanted)
        assert greetings(world.truth("web")) == [final]
        assert newest.revision.number == 2 * (turn + 1)
        assert [r.status for r in history[:2]] == [RevisionStatus.DEPLOYED, RevisionStatus.SUPERSEDED]


class Hurried(SystemClock):
    """A minute in four seconds."""

    FASTER = 15.0

    def now(self) -> float:
        return super().now() * self.FASTER

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / self.FASTER)


def taken(world: MarathonWorld, holder: Holder, *, timeout_ms: int) -> tuple[Lease, float]:
    """The lease, and the seconds that it took by its clock."""
    clock = Hurried()
    connection = stores.connect(world.backend, world.context)
    started = clock.now()
    lease = acquire(
        connection.store,
        namespace="test",
        name="web",
        holder=holder,
        clock=clock,
        timeout_ms=timeout_ms,
        on_wait=lambda _other: None,
    )
    return lease, clock.now() - started


def test_the_lease_of_a_deployer_that_died_elsewhere_is_taken_when_its_time_is_over(world: MarathonWorld) -> None:
    dead = replace(this_process("dead"), host="elsewhere", boot="elsewhere")
    old, _ = taken(world, dead, timeout_ms=0)
    with pytest.raises(LeaseHeld, match="elsewhere"):
        taken(world, this_process("impatient"), timeout_ms=0)
    _, waited = taken(world, this_process("next"), timeout_ms=300_000)
    assert waited >= TTL_MS / 1000 + GRACE_S
    with pytest.raises(LeaseLost, match="taken over"):
        old._renew()


def test_of_two_who_take_over_a_dead_lease_one_has_it(world: MarathonWorld) -> None:
    taken(world, replace(this_process("dead"), host="elsewhere", boot="elsewhere"), timeout_ms=0)
    holders = [replace(this_process(n), host=n, boot=n) for n in ("a", "b")]
    results = world.at_once([partial(taken, world, h, timeout_ms=110_000) for h in holders])
    won = [r for r in results if isinstance(r, tuple)]
    lost = [r for r in results if isinstance(r, LeaseHeld)]
    assert (len(won), len(lost)) == (1, 1), results
