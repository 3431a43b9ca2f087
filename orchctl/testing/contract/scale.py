"""Scaling: the count and nothing else, remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Scaling, Service
from orchctl.errors import NotFound, UsageError
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.world import World


class ScaleContract:
    @pytest.mark.parametrize(("target", "count"), [("4", 4), ("+1", 3), ("-1", 1), ("50%", 1), ("+50%", 3), ("0", 0)])
    def test_targets(self, world: World, driver: Driver, target: str, count: int) -> None:
        driver.deploy(world.service())
        outcome = driver.scale("web", target)
        assert (outcome.state, outcome.details["replicas"]) == (OutcomeState.CONVERGED, count)
        assert len(world.truth("web").running) == count

    def test_scaling_up_keeps_the_running_instances(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        running = set(world.truth("web").running)
        driver.scale("web", "3")
        assert running < set(world.truth("web").running)

    def test_scaling_to_the_same_count_writes_nothing_to_the_service(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        assert driver.scale("web", "2").state is OutcomeState.UNCHANGED

    def test_scaling_makes_no_revision(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        driver.scale("web", "3")
        newest = driver.history("web")[0]
        assert (newest.revision.number, newest.replicas_override) == (1, 3)

    def test_rollback_keeps_the_scaled_count(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        driver.deploy(world.service(greeting="two"))
        driver.scale("web", "4")
        driver.rollback("web")
        assert greetings(world.truth("web")) == ["one"] * 4

    def test_rollback_keeps_a_count_that_no_spec_says(self, world: World, driver: Driver) -> None:
        """Scaled, then deployed: the count is the live one all the way, and so it is on the way back."""
        driver.deploy(replace(world.service(greeting="one"), replicas=None))
        driver.scale("web", "3")
        driver.deploy(replace(world.service(greeting="two"), replicas=None))
        driver.rollback("web")
        assert greetings(world.truth("web")) == ["one"] * 3

    def test_the_next_deploy_of_the_file_resets_the_count_and_says_so(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        driver.scale("web", "3")
        plan = driver.plan(world.service()).plan
        assert [(c.path, c.before, c.after) for c in plan.changes] == [("replicas", 3, 2)]
        assert "scaled by hand" in plan.notes[0]
        driver.deploy(world.service())
        assert len(world.truth("web").running) == 2

    def test_with_bounds_a_deploy_keeps_the_live_count(self, world: World, driver: Driver) -> None:
        def bounded(greeting: str) -> Service:
            return replace(world.service(greeting=greeting), replicas=None, scaling=Scaling(min=1, max=4))

        driver.deploy(bounded("one"))
        assert len(world.truth("web").running) == 1
        driver.scale("web", "3")
        driver.deploy(bounded("two"))
        assert greetings(world.truth("web")) == ["two"] * 3

    def test_out_of_bounds_is_refused_and_nothing_changes(self, world: World, driver: Driver) -> None:
        driver.deploy(replace(world.service(), replicas=None, scaling=Scaling(min=1, max=4)))
        with pytest.raises(UsageError):
            driver.scale("web", "9")
        assert len(world.truth("web").running) == 1

    def test_scaling_what_is_not_there_is_not_found(self, world: World, driver: Driver) -> None:
        with pytest.raises(NotFound):
            driver.scale("absent", "3")
