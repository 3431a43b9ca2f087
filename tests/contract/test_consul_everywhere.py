"""Records and leases of real clusters in a real Consul: the backend's own store is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.stores import connect
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour, World
from tests.servers.consul.agent import Consul
from tests.worlds.consul import in_consul
from tests.worlds.kubernetes import KubernetesWorld
from tests.worlds.swarm import SwarmWorld


@pytest.fixture
def on_swarm(swarm_world: SwarmWorld, consul: Consul) -> Iterator[World]:
    yield from kept_in(swarm_world, consul)


@pytest.fixture
def on_kubernetes(kubernetes_world: KubernetesWorld, consul: Consul) -> Iterator[World]:
    yield from kept_in(kubernetes_world, consul)


def kept_in(world: World, consul: Consul) -> Iterator[World]:
    before = world.context
    world.context = in_consul(before, consul.url)
    yield world
    world.context = before


@pytest.mark.world_swarm
def test_swarm(on_swarm: World) -> None:
    the_main_job(on_swarm)


@pytest.mark.world_kubernetes
def test_kubernetes(on_kubernetes: World) -> None:
    the_main_job(on_kubernetes)


def the_main_job(world: World) -> None:
    driver = Driver(world)
    assert driver.deploy(world.service(greeting="one")).state is OutcomeState.CONVERGED
    assert driver.scale("web", "3").state is OutcomeState.CONVERGED
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad").sized(3)).state is OutcomeState.ROLLED_BACK
    assert greetings(world.truth("web")) == ["one"] * 3
    assert [r.revision.number for r in driver.history("web")] == [3, 2, 1]
    with world.backend.connect(world.context) as own:
        assert own.store.list(f"{world.context.namespace}/") == []
    assert driver.delete("web").state is OutcomeState.DELETED
    assert world.truth("web").leftovers == ()
    with connect(world.backend, world.context) as shared:
        assert shared.store.list(f"{world.context.namespace}/") == []
