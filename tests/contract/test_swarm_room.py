"""What a leaving task keeps until it has ended, and what the engine would make of a variable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Amount, Service, Stop, Volume, VolumeKind
from orchctl.engine import verdict
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.worlds.swarm import SERVE, SwarmWorld

pytestmark = pytest.mark.world_swarm

GRACE_MS = 6_000


@pytest.fixture
def world(swarm_world: SwarmWorld) -> SwarmWorld:
    return swarm_world


def test_a_port_of_the_only_node_is_waited_for(
    world: SwarmWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old process takes all of its grace, and the scheduler counts its port meanwhile."""
    monkeypatch.setattr(verdict, "UNSCHEDULABLE_S", GRACE_MS / 3_000)

    def made(greeting: str) -> Service:
        service = world.service(greeting=greeting).sized(1)
        rollout = replace(service.rollout, max_surge=Amount(0), max_unavailable=Amount(1))
        return replace(
            service,
            args=(f"trap '' TERM; {SERVE}",),
            ports=(replace(service.ports[0], published=18080),),
            rollout=rollout,
            stop=Stop(grace_ms=GRACE_MS),
        )

    driver.deploy(made("one"))
    said: list[str] = []
    driver.on_event = lambda event: said.append(event.text)
    outcome = driver.deploy(made("two"))
    assert outcome.state is OutcomeState.CONVERGED, outcome
    assert any("port_taken" in text for text in said), said
    assert outcome.duration_ms > GRACE_MS, "it had to wait"
    assert greetings(world.truth("web")) == ["two"]
    assert driver.restart("web").state is OutcomeState.CONVERGED
    assert driver.rollback("web").state is OutcomeState.CONVERGED


def test_the_place_of_a_volume_means_what_it_says(world: SwarmWorld, driver: Driver) -> None:
    volumes = {"/a{{msg}}": Volume(kind=VolumeKind.TMPFS)}
    service = replace(world.service().sized(1), volumes=volumes)
    assert driver.deploy(service).state is OutcomeState.CONVERGED
    assert driver.deploy(service).state is OutcomeState.UNCHANGED


@pytest.mark.parametrize("value", ["{{.Node.Hostname}} {{msg}}", "{{{a}}}"])
def test_a_variable_means_what_it_says(world: SwarmWorld, driver: Driver, value: str) -> None:
    """The agent expands Go templates in variables: of this one it would know nothing, or the node's name."""
    assert driver.deploy(world.service(greeting=value).sized(1)).state is OutcomeState.CONVERGED
    assert greetings(world.truth("web")) == [value]
    assert [world.fetch(e).decode() for e in driver.discover("web")] == [value]
    assert driver.deploy(world.service(greeting=value).sized(1)).state is OutcomeState.UNCHANGED
