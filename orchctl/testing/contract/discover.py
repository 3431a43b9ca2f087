"""Endpoints and status tell what is there."""

from __future__ import annotations

import pytest

from orchctl.core.rollout import Phase
from orchctl.errors import NotFound
from orchctl.testing.driver import Driver
from orchctl.testing.world import World


class DiscoverContract:
    def test_one_endpoint_for_each_instance_and_port(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service().sized(3))
        endpoints = [e for e in driver.discover("web") if e.instance]
        assert len({(e.host, e.port) for e in endpoints}) == 3
        assert {(e.port_name, e.ready, e.revision) for e in endpoints} == {("http", True, 1)}

    def test_endpoints_carry_the_new_revision_after_an_update(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        driver.deploy(world.service(greeting="two"))
        assert {e.revision for e in driver.discover("web") if e.ready} == {2}

    def test_discovering_what_is_not_there_is_not_found(self, world: World, driver: Driver) -> None:
        with pytest.raises(NotFound):
            driver.discover("absent")

    def test_status_is_healthy_then_stopped(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        seen = driver.status("web")
        assert (seen.phase, seen.wanted, seen.ready, seen.updated, seen.revision) == (Phase.HEALTHY, 2, 2, 2, 1)
        driver.scale("web", "0")
        assert driver.status("web").phase is Phase.STOPPED

    def test_status_of_what_is_not_there_is_not_found(self, world: World, driver: Driver) -> None:
        with pytest.raises(NotFound):
            driver.status("absent")

    def test_looking_writes_nothing(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        writes = world.writes()
        driver.status("web")
        driver.discover("web")
        driver.history("web")
        driver.plan(world.service(greeting="two"))
        driver.why("web")
        assert world.writes() == writes
