"""Images below the Docker engine and below Mesos itself, on every kind of network: deployed, reached, changed, brought back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Service
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.servers.marathon import Marathon
from tests.worlds.marathon import MarathonWorld

pytestmark = pytest.mark.world_marathon

WEB, PORT = "/test/web", 8080
KINDS = {"docker": "DOCKER", "mesos": "MESOS"}
NETWORKS: dict[str, dict[str, Any]] = {
    "host": {"mode": "host"},
    "bridge": {"mode": "container/bridge"},
    "blue": {"mode": "container", "name": "blue"},
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("containerizer", KINDS)
def test_the_main_job(world: MarathonWorld, server: Marathon, containerizer: str, network: str) -> None:
    def made(greeting: str, behaviour: Behaviour = Behaviour.GOOD) -> Service:
        service = world.with_image(world.service(greeting=greeting))
        bad = world.service(behaviour).command if behaviour is not Behaviour.GOOD else ()
        options = {"marathon": {"containerizer": containerizer, "network": network}}
        return replace(service, command=bad, backends=options)

    driver = Driver(world)
    assert driver.deploy(made("one")).state is OutcomeState.CONVERGED
    app: dict[str, Any] = server.apps()[WEB]
    assert app["container"]["type"] == KINDS[containerizer]
    assert app["networks"] == [NETWORKS[network]]
    assert driver.deploy(made("one")).state is OutcomeState.UNCHANGED
    ends = driver.discover("web")
    assert [(e.ready, world.fetch(e)) for e in ends] == [(True, b"one")] * 2
    agents = {t.host for t in server.tasks(WEB)}
    assert {(e.host in agents, e.port == PORT) for e in ends} == {(network != "blue", network == "blue")}
    assert driver.deploy(made("two")).state is OutcomeState.CONVERGED
    assert driver.deploy(made("bad", Behaviour.CRASH)).state is OutcomeState.ROLLED_BACK
    assert greetings(world.truth("web")) == ["two", "two"]
    assert driver.rollback("web").state is OutcomeState.CONVERGED
    assert {world.fetch(e) for e in driver.discover("web")} == {b"one"}
    assert driver.delete("web").state is OutcomeState.DELETED
    assert world.truth("web").leftovers == ()
