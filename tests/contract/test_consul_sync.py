"""``sync`` and ``consul gc`` on a real Consul, which may be killed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import Event, EventKind, OutcomeState
from orchctl.testing.driver import Driver
from tests.contract.test_consul_trouble import comes_back
from tests.servers.consul.agent import Consul
from tests.servers.consul.front import Answered, Asked
from tests.worlds.catalog import ListedFakeWorld, listed

pytestmark = pytest.mark.world_consul


@pytest.fixture
def world(listed_world: ListedFakeWorld) -> ListedFakeWorld:
    return listed_world


def synced(world: ListedFakeWorld, *names: str) -> dict[str, tuple[OutcomeState, str]]:
    return {o.service: (o.state, o.message) for o in Driver(world).sync(*names)}


def addresses(world: ListedFakeWorld, name: str = "web") -> list[str]:
    return sorted(f"{e.host}:{e.port}" for e in Driver(world).discover(name) if e.ready)


def test_an_instance_that_was_replaced_is_replaced_in_the_catalog(world: ListedFakeWorld) -> None:
    service = listed(world)
    assert service.register
    Driver(world).deploy(service)
    world.kill_instance("web")
    world.clock.sleep(5)
    assert addresses(world) != world.entries.passing(service.register.name)
    assert synced(world) == {"web": (OutcomeState.CONVERGED, "1 added, 1 removed")}
    assert world.entries.passing(service.register.name) == addresses(world)
    assert synced(world) == {"web": (OutcomeState.UNCHANGED, "")}


def test_what_was_removed_behind_our_back_is_withdrawn(world: ListedFakeWorld) -> None:
    service = listed(world)
    assert service.register
    Driver(world).deploy(service)
    del world.cluster.definitions["test", "web"]
    world.clock.sleep(5)
    assert synced(world) == {"web": (OutcomeState.CONVERGED, "2 removed")}
    assert world.entries.of(service.register.name) == []


def test_a_context_that_registers_no_more_is_followed(world: ListedFakeWorld) -> None:
    """No record of the service says anything about it."""
    service = replace(world.service(name=f"w{world.context.cluster[-8:]}"), register=None)
    Driver(world).deploy(service)
    assert len(world.entries.of(service.name)) == 2
    world.context = replace(world.context, register=False)
    assert synced(world) == {service.name: (OutcomeState.CONVERGED, "2 removed")}
    assert world.entries.of(service.name) == []
    assert synced(world) == {service.name: (OutcomeState.UNCHANGED, "")}


def test_a_service_that_is_being_deployed_is_left_to_its_deployer(world: ListedFakeWorld) -> None:
    service = listed(world)
    Driver(world).deploy(service)
    seen: list[str] = []

    def look(event: Event) -> None:
        if event.kind is EventKind.PROGRESS and not seen:
            seen.append(synced(world)["web"][1])

    Driver(world, on_event=look).deploy(replace(service, env={"GREETING": "two"}))
    assert seen[0].startswith("left to ")


def test_an_entry_that_was_tampered_with_is_put_right_by_name(world: ListedFakeWorld) -> None:
    service = listed(world)
    assert service.register
    Driver(world).deploy(service)
    found = world.entries.of(service.register.name)[0]
    kept = {key: found["Service"][key] for key in ("ID", "Service", "Meta", "Tags", "ModifyIndex")}
    changed = kept | {"Address": "10.66.66.66", "Port": 1}
    step = {"Service": {"Verb": "cas", "Node": found["Node"]["Node"], "Service": changed}}
    world.entries.api.put("/v1/txn", [step])
    assert synced(world, "web") == {"web": (OutcomeState.CONVERGED, "1 changed")}
    assert world.entries.passing(service.register.name) == addresses(world)


def test_a_thousand_endpoints_unchanged_are_one_read_of_the_catalog_and_no_write(world: ListedFakeWorld) -> None:
    names = [f"s{n}" for n in range(20)]
    Driver(world).deploy_all([replace(listed(world, name), replicas=50) for name in names])
    assert sum(len(world.entries.of(f"{n}-{world.context.cluster}")) for n in names) == 1000
    asked, writes = len(world.front.requests), world.front.writes
    looks, changes = world.requests(), world.writes()
    result = synced(world)
    assert {state for state, _ in result.values()} == {OutcomeState.UNCHANGED}
    assert len(result) == 20
    assert (len(world.front.requests) - asked, world.front.writes - writes) == (1, 0)
    # A connection, what runs, all records; and where each service can be reached, which backends tell one by one.
    assert (world.requests() - looks, world.writes() - changes) == (3 + len(names), 0)
    for name in names:
        del world.cluster.definitions["test", name]
    assert Driver(world).collect() == 1000
    assert world.entries.nodes(world.context.cluster) == []


def test_what_is_dead_is_listed_and_removed_and_nothing_else(world: ListedFakeWorld) -> None:
    """Also what has lost its check, and so is in no listing of checks."""
    for name in ("web", "api"):
        Driver(world).deploy(listed(world, name))
    name = f"web-{world.context.cluster}"
    found = world.entries.of(name)[0]
    gone = {"Node": found["Node"]["Node"], "CheckID": found["Checks"][0]["CheckID"]}
    world.entries.api.put("/v1/catalog/deregister", gone)
    assert Driver(world).collect() == 0
    del world.cluster.definitions["test", "web"]
    world.cluster.entries = {k: e for k, e in world.cluster.entries.items() if "/web/" not in k}
    assert Driver(world).collect() == 2
    assert world.entries.of(name) == []
    assert len(world.entries.of(f"api-{world.context.cluster}")) == 2
    assert not [key for key in world.cluster.entries if "/web/" in key], "no lease is left of what is not there"


def test_a_deploy_during_which_consul_is_killed_and_comes_back(own_consul: Consul, tmp_path: Path) -> None:
    world = ListedFakeWorld(own_consul, tmp_path)
    Driver(world).deploy(world.service())
    world.front.strike = comes_back(own_consul)
    killed: list[int] = []

    def kill(event: Event) -> None:
        if event.kind is EventKind.PROGRESS and not killed:
            killed.append(own_consul.pid)
            own_consul.kill()

    outcome = Driver(world, on_event=kill).deploy(world.service(greeting="two"))
    assert (outcome.state, outcome.exit_code) == (OutcomeState.CONVERGED, 0)
    assert killed
    assert own_consul.pid not in (0, killed[0])
    assert world.entries.passing("web") == addresses(world)
    world.close()


def test_a_sync_in_whose_write_consul_is_killed_is_finished_by_the_next(own_consul: Consul, tmp_path: Path) -> None:
    world = ListedFakeWorld(own_consul, tmp_path)
    for name in ("web", "api"):
        Driver(world).deploy(replace(world.service(name=name), replicas=3))
    for name in ("web", "api"):
        world.kill_instance(name)
    world.clock.sleep(5)

    def killing(asked: Asked, carry_out: Callable[[], Answered]) -> Answered | None:
        if asked.path == "/v1/txn":
            own_consul.kill()
        return carry_out()

    world.front.strike = killing
    outcomes = Driver(world).sync()
    assert {o.exit_code for o in outcomes} == {9}
    own_consul.start()
    world.front.strike = lambda _asked, carry_out: carry_out()
    assert {o.exit_code for o in Driver(world).sync()} == {0}
    for name in ("web", "api"):
        assert world.entries.passing(name) == addresses(world, name)
    world.close()
