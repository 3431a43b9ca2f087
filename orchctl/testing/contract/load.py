"""Nobody notices an update."""

from __future__ import annotations

from dataclasses import replace

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Service
from orchctl.testing.driver import Driver
from orchctl.testing.load import Client
from orchctl.testing.world import World

REFRESH_S = 0.5


class LoadContract:
    def test_updates_lose_no_request_of_a_client_that_refreshes_its_endpoints(
        self, world: World, driver: Driver
    ) -> None:
        """The server exits at once on SIGTERM: that it goes on serving while clients leave is ``stop.drain``."""

        def service(greeting: str) -> Service:
            wanted = world.reachable(world.service(greeting=greeting))
            return replace(wanted, stop=replace(wanted.stop, drain_ms=world.drain_ms))

        driver.deploy(service("v0"))
        drain_s = world.drain_ms / 1000
        with Client(lambda: Driver(world).discover("web"), world.fetch, refresh_s=REFRESH_S, drain_s=drain_s) as client:
            for number in range(1, world.load_rounds + 1):
                assert driver.deploy(service(f"v{number}")).state is OutcomeState.CONVERGED
        assert client.failed == []
        assert client.asked - client.late > 100
