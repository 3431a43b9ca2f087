"""Two deployers at once: one after the other, never a blend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from orchctl.core import stores
from orchctl.core.rollout import OutcomeState
from orchctl.engine.history import KEPT_REVISIONS
from orchctl.engine.holder import this_process
from orchctl.engine.lease import RENEW_S, acquire, break_lease, info_of, lease_key
from orchctl.errors import LeaseLost, StalePlan
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.virtual_time import VirtualClock
from orchctl.testing.world import World


class _Free:
    """A fence without a lease."""

    def check(self) -> None:
        return


class RaceContract:
    def test_two_deployers_end_with_one_spec_and_both_tell_the_truth(self, world: World, driver: Driver) -> None:
        for turn in range(world.race_rounds):
            one = Driver(world, holder=this_process("one"))
            two = Driver(world, holder=this_process("two"))
            a, b = world.service(greeting=f"a{turn}"), world.service(greeting=f"b{turn}")
            results = world.at_once([partial(one.deploy, a), partial(two.deploy, b)])
            assert [getattr(r, "state", r) for r in results] == [OutcomeState.CONVERGED] * 2
            final = greetings(world.truth("web"))
            assert final in ([f"a{turn}"] * 2, [f"b{turn}"] * 2)
            history = driver.history("web")
            newest_number = 2 * (turn + 1)
            assert [r.revision.number for r in history] == list(range(newest_number, 0, -1))[: len(history)]
            assert len(history) == min(newest_number, KEPT_REVISIONS)
            newest = history[0].revision.service.env["GREETING"]
            assert final == [newest] * 2

    def test_a_lease_of_a_dead_process_is_taken_over_at_once(self, world: World, driver: Driver) -> None:
        dead = replace(this_process("killed"), pid=2**22 + 1, token="dead")
        with stores.connect(world.backend, world.context) as connection:
            acquire(
                connection.store,
                namespace=driver.namespace,
                name="web",
                holder=dead,
                clock=world.clock,
                timeout_ms=0,
                on_wait=lambda _info: None,
            )
        impatient = replace(driver, limits=replace(driver.limits, lock_timeout_ms=0))
        assert impatient.deploy(world.service()).state is OutcomeState.CONVERGED

    def test_a_broken_lease_stops_its_holder_and_is_free(self, world: World, driver: Driver) -> None:
        with stores.connect(world.backend, world.context) as connection:
            store, clock = connection.store, VirtualClock()
            lease = acquire(
                store,
                namespace=driver.namespace,
                name="web",
                holder=this_process("holder"),
                clock=clock,
                timeout_ms=0,
                on_wait=lambda _info: None,
            )
            broken = break_lease(store, driver.namespace, "web")
            assert broken is not None
            assert broken.command == "holder"
            assert info_of(store.get(lease_key(driver.namespace, "web"))) is None
            clock.sleep(RENEW_S)
            with pytest.raises(LeaseLost):
                lease.check()
            assert info_of(store.get(lease_key(driver.namespace, "web"))) is None

    def test_a_write_on_something_else_than_was_read_is_refused(self, world: World, driver: Driver) -> None:
        """Whatever a deployer decided by an older look; leases alone do not keep out the backend's own tools."""
        driver.deploy(world.service().sized(1))
        plan = driver.plan(world.service(greeting="two").sized(1)).plan
        driver.scale("web", "2")
        with stores.connect(world.backend, world.context) as connection:
            writer, read = connection.writer(_Free()), plan.expect
            writes: list[Callable[[], object]] = [
                lambda: writer.apply(plan, revision=2, secrets={}),
                lambda: writer.apply(replace(plan, expect=""), revision=2, secrets={}),
                lambda: writer.scale(driver.namespace, "web", 3, expect=read),
                lambda: writer.restart(driver.namespace, "web", expect=read),
                lambda: writer.delete(driver.namespace, "web", expect=read),
            ]
            for write in writes:
                with pytest.raises(StalePlan):
                    write()
            live = connection.reader.live(driver.namespace, ["web"])["web"]
        assert live.replicas == 2
        assert greetings(world.truth("web")) == ["one", "one"]
