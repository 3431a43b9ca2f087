"""Three nodes: spread, drain, death, and a worker that is asked what only managers know."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.context import Context
from orchctl.core.rollout import OutcomeState, Phase
from orchctl.core.service import Placement
from orchctl.errors import UsageError
from orchctl.testing.driver import Driver
from tests.children import LONGEST_S
from tests.servers.dockerd import Swarm
from tests.servers.waiting import until
from tests.worlds.swarm import NAMESPACE, SwarmWorld

pytestmark = [pytest.mark.world_swarm, pytest.mark.xdist_group("nodes")]


@pytest.fixture
def world(three_nodes: Swarm, tmp_path: Path) -> Iterator[SwarmWorld]:
    world = SwarmWorld(three_nodes, tmp_path)
    yield world
    world.close()


def nodes_of(driver: Driver) -> list[str]:
    return sorted(e.node for e in driver.discover("web") if e.ready)


def test_one_instance_on_each_node_and_each_is_reached_where_discovery_says(world: SwarmWorld, driver: Driver) -> None:
    service = replace(world.service().sized(3), placement=Placement(max_per_node=2, spread=("node.id",)))
    assert driver.deploy(service).state is OutcomeState.CONVERGED
    assert nodes_of(driver) == ["manager", "worker1", "worker2"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for endpoint in driver.discover("web"):
        with opener.open(f"http://{endpoint.host}:{endpoint.port}/", timeout=LONGEST_S) as answer:
            assert answer.read() == b"one"


def test_a_worker_is_no_manager_and_the_hint_says_what_to_do(world: SwarmWorld, three_nodes: Swarm) -> None:
    settings = {"host": f"unix://{three_nodes.nodes[1].socket}"}
    context = Context(name="w", backend="swarm", state_dir=world.context.state_dir, settings=settings)
    with world.backend.connect(context) as connection, pytest.raises(UsageError) as caught:
        connection.reader.live(NAMESPACE)
    assert "manager" in caught.value.hint


def test_instances_leave_a_node_that_is_drained(world: SwarmWorld, three_nodes: Swarm, driver: Driver) -> None:
    driver.deploy(world.service().sized(3))
    three_nodes.set_availability("worker1", "drain")
    until("no instance on worker1", lambda: "worker1" not in nodes_of(driver) and len(nodes_of(driver)) == 3)
    assert driver.status("web").phase is Phase.HEALTHY
    three_nodes.set_availability("worker1", "active")


@pytest.mark.soak  # and the last one here: the node stays dead
def test_a_dead_node_is_not_waited_for_and_its_instances_are_not_listed(
    world: SwarmWorld, three_nodes: Swarm, driver: Driver
) -> None:
    driver.deploy(replace(world.service().sized(3), placement=Placement(spread=("node.id",))))
    three_nodes.nodes[2].kill()
    until("worker2 down", lambda: "worker2" not in nodes_of(driver))
    until("three elsewhere", lambda: len(nodes_of(driver)) == 3)
    assert driver.deploy(world.service(greeting="two").sized(3)).state is OutcomeState.CONVERGED
    assert "worker2" not in nodes_of(driver)
