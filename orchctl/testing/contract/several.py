"""Several services in one command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.rollout import OutcomeState, Phase
from orchctl.engine.waves import exit_code
from orchctl.errors import UsageError
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour, World


class SeveralContract:
    def test_needs_come_first_and_a_failure_stops_the_waves_after_it(self, world: World, driver: Driver) -> None:
        data = world.service(name="data")
        api = replace(world.service(Behaviour.CRASH, name="api"), needs={"data": "*"})
        web = replace(world.service(name="web"), needs={"api": "*"})
        outcomes = driver.deploy_all([web, api, data])
        assert [(o.service, o.state) for o in outcomes] == [
            ("web", OutcomeState.NOT_STARTED),
            ("api", OutcomeState.FAILED),
            ("data", OutcomeState.CONVERGED),
        ]
        assert exit_code(outcomes) == 11
        assert not world.truth("web").exists

    def test_unchanged_services_cost_a_bounded_number_of_requests(self, world: World, driver: Driver) -> None:
        few = [world.service(name=f"s{i}").sized(1) for i in range(2)]
        many = [world.service(name=f"s{i}").sized(1) for i in range(5)]
        driver.deploy_all(many)
        costs = []
        for services in (few, many):
            before, writes = world.requests(), world.writes()
            assert {o.state for o in driver.deploy_all(services)} == {OutcomeState.UNCHANGED}
            assert world.writes() == writes
            costs.append(world.requests() - before)
        assert costs[0] == costs[1]

    def test_status_costs_the_same_requests_for_any_number_of_services(self, world: World, driver: Driver) -> None:
        costs = []
        for names in (["a"], ["b", "c", "d"]):
            driver.deploy_all([world.service(name=n).sized(1) for n in names])
            before = world.requests()
            seen = driver.status_of_all()
            costs.append(world.requests() - before)
        assert [s.name for s in seen] == ["a", "b", "c", "d"]
        assert {s.phase for s in seen} == {Phase.HEALTHY}
        assert costs[0] == costs[1]

    def test_a_circle_of_needs_is_shown_as_a_path(self, world: World, driver: Driver) -> None:
        a = replace(world.service(name="a"), needs={"b": "*"})
        b = replace(world.service(name="b"), needs={"a": "*"})
        with pytest.raises(UsageError, match=r"a -> b -> a|b -> a -> b"):
            driver.deploy_all([a, b])
        assert not world.truth("a").exists
