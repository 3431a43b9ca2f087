"""Services in Consul's catalog: registered after a wait, kept right, and gone when they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import EventKind, OutcomeState
from orchctl.core.service import Address, Port, Probe, ProbeKind, Registration, Service
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.servers.consul.agent import Consul
from tests.servers.consul.front import lost_after, lost_before, once
from tests.worlds.catalog import ListedFakeWorld

pytestmark = pytest.mark.world_consul


@pytest.fixture
def world(listed_world: ListedFakeWorld) -> ListedFakeWorld:
    return listed_world


def named(world: ListedFakeWorld, name: str, **registration: object) -> Service:
    """A service with a name in the catalog that no other test has."""
    how = Registration(name=f"{name}-{world.context.cluster}", **registration)  # type: ignore[arg-type]
    return replace(world.service(name=name), register=how)


def ready(world: ListedFakeWorld, name: str = "web") -> list[str]:
    return sorted(f"{e.host}:{e.port}" for e in Driver(world).discover(name) if e.ready)


def test_what_is_deployed_is_found_under_its_name(world: ListedFakeWorld) -> None:
    service = named(world, "web", tags=("v1",))
    assert Driver(world).deploy(service).state is OutcomeState.CONVERGED
    assert service.register
    assert world.entries.passing(service.register.name) == ready(world)
    [first, _] = world.entries.of(service.register.name)
    meta = first["Service"]["Meta"]
    assert (meta["managed_by"], meta["orchctl_cluster"]) == ("orchctl", world.context.cluster)
    assert (meta["orchctl_namespace"], meta["orchctl_service"], meta["orchctl_revision"]) == ("test", "web", "1")
    assert first["Service"]["Tags"] == ["v1"]
    assert first["Node"]["Node"] == f"orchctl-{world.context.cluster}-fake"
    assert (first["Node"]["Meta"]["external-node"], first["Node"]["Meta"]["external-probe"]) == ("true", "false")
    assert first["Service"]["ID"].startswith("test-web-i")


def test_an_update_replaces_the_entries_and_never_leaves_the_name_empty(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    assert service.register
    name = service.register.name
    Driver(world).deploy(service)
    before = world.entries.passing(name)
    seen: list[list[str]] = []
    driver = Driver(world, on_event=lambda _event: seen.append(world.entries.passing(name)))
    assert driver.deploy(replace(service, env={"GREETING": "two"})).exit_code == 0
    assert all(seen)
    assert world.entries.passing(name) == ready(world)
    assert not {*before} & {*world.entries.passing(name)}
    assert {a["Service"]["Meta"]["orchctl_revision"] for a in world.entries.of(name)} == {"2"}


def test_the_second_deploy_writes_nothing(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    Driver(world).deploy(service)
    writes, asked = world.front.writes, len(world.front.requests)
    assert Driver(world).deploy(service).state is OutcomeState.UNCHANGED
    assert (world.front.writes - writes, len(world.front.requests) - asked) == (0, 1)


def test_registering_restarts_nothing_and_sends_nothing(world: ListedFakeWorld) -> None:
    """It stands in the release record alone."""
    plain = replace(world.service(), register=Registration(enabled=False))
    Driver(world).deploy(plain)
    running, version = world.truth("web").running, world.cluster.definitions["test", "web"].version
    assert world.entries.nodes(world.context.cluster) == []
    service = named(world, "web", tags=("a",))
    assert Driver(world).deploy(service).revision == 2
    assert service.register
    assert len(world.entries.passing(service.register.name)) == 2
    assert Driver(world).deploy(replace(service, register=replace(service.register, tags=("b",)))).revision == 3
    assert {tuple(a["Service"]["Tags"]) for a in world.entries.of(service.register.name)} == {("b",)}
    assert Driver(world).deploy(plain).revision == 4
    assert world.entries.of(service.register.name) == []
    assert (world.truth("web").running, world.cluster.definitions["test", "web"].version) == (running, version)


def test_scale_restart_and_rollback_are_published(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    assert service.register
    name = service.register.name
    Driver(world).deploy(service)
    Driver(world).scale("web", "3")
    assert len(world.entries.passing(name)) == 3
    assert world.entries.passing(name) == ready(world)
    Driver(world).restart("web")
    assert world.entries.passing(name) == ready(world)
    Driver(world).deploy(replace(service, env={"GREETING": "two"}))
    Driver(world).rollback("web")
    assert world.entries.passing(name) == ready(world)
    Driver(world).scale("web", "1")
    assert len(world.entries.of(name)) == 1


def test_a_failed_deploy_that_rolls_back_leaves_what_runs(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    assert service.register
    Driver(world).deploy(service)
    bad = replace(world.service(Behaviour.CRASH, greeting="bad"), register=service.register)
    assert Driver(world).deploy(bad).exit_code == 8
    assert world.entries.passing(service.register.name) == ready(world)
    assert len(world.entries.of(service.register.name)) == 2


def test_delete_withdraws_before_it_stops_and_leaves_nothing(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    assert service.register
    name, running_when_gone = service.register.name, []
    Driver(world).deploy(service)

    def look(event: object) -> None:
        if not world.entries.of(name):
            running_when_gone.append(len(world.truth("web").running))

    assert Driver(world, on_event=look).delete("web").state is OutcomeState.DELETED
    assert running_when_gone[0] == 2
    assert world.entries.of(name) == []
    assert world.entries.nodes(world.context.cluster) == []


def test_further_ports_have_names_of_their_own(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    assert service.register
    admin = Port(name="admin", port=9000)
    Driver(world).deploy(replace(service, ports=(*service.ports, admin)))
    assert {a["Service"]["Port"] for a in world.entries.of(service.register.name)} == {8080}
    assert {a["Service"]["Port"] for a in world.entries.of(f"{service.register.name}-admin")} == {9000}
    Driver(world).delete("web")
    assert world.entries.of(f"{service.register.name}-admin") == []


def test_others_may_check_what_orchctl_registers(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    probe = Probe(kind=ProbeKind.HTTP, path="/up", port="http", interval_ms=3_000, timeout_ms=1_000)
    Driver(world).deploy(replace(service, health=replace(service.health, ready=probe)))
    assert service.register
    [first, _] = world.entries.of(service.register.name)
    [check] = first["Checks"]
    address = f"{first['Service']['Address']}:8080"
    assert check["Definition"] == {"HTTP": f"http://{address}/up", "Interval": "3s", "Timeout": "1s"}


def test_what_others_say_about_health_stays(world: ListedFakeWorld) -> None:
    """consul-esm has found an entry critical that looks ready from here: it is not said to be ready again and again."""
    service = named(world, "web")
    assert service.register
    name = service.register.name
    Driver(world).deploy(service)
    seen = world.entries.of(name)[0]["Checks"][0]
    kept = {key: seen[key] for key in ("Node", "CheckID", "Name", "Notes", "ServiceID", "Definition", "ModifyIndex")}
    check = kept | {"Status": "critical", "Output": "found by another"}
    world.entries.api.put("/v1/txn", [{"Check": {"Verb": "cas", "Check": check}}])
    Driver(world).deploy(service)
    assert world.entries.critical(name) == 1


def test_a_name_of_somebody_else_is_refused_and_the_rollout_stands(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    assert service.register
    name = service.register.name
    theirs = {"Node": f"n-{name}", "Address": "10.9.9.9", "Service": {"ID": "x", "Service": name, "Port": 1}}
    world.entries.api.put("/v1/catalog/register", theirs)
    before = world.entries.of(name)
    outcome = Driver(world).deploy(service)
    assert (outcome.state, outcome.exit_code, outcome.error_code) == (OutcomeState.CONVERGED, 11, "E0505")
    assert f"the name {name!r} is taken by an entry of somebody else (x on node n-{name})" in outcome.message
    assert "register: {shared: true}" in outcome.hint
    assert world.entries.of(name) == before
    shared = replace(service, register=replace(service.register, shared=True))
    assert Driver(world).deploy(shared).exit_code == 0
    assert len(world.entries.of(name)) == 3
    assert Driver(world).delete("web").exit_code == 0
    assert world.entries.of(name) == before
    world.entries.api.put("/v1/catalog/deregister", {"Node": f"n-{name}"})


def test_another_service_of_ours_is_somebody_else(world: ListedFakeWorld) -> None:
    service = named(world, "web")
    Driver(world).deploy(service)
    outcome = Driver(world).deploy(replace(service, name="api"))
    assert outcome.exit_code == 11
    assert "is taken by an entry of orchctl's service 'web' (namespace test, cluster" in outcome.message


def test_one_name_on_two_clusters_is_one_service(world: ListedFakeWorld, consul: Consul, tmp_path: Path) -> None:
    there = ListedFakeWorld(consul, tmp_path / "there")
    there.cluster._ids = iter(range(100, 200))  # type: ignore[assignment]
    service = named(world, "web")
    assert service.register
    Driver(world).deploy(service)
    Driver(there).deploy(service)
    assert world.entries.passing(service.register.name) == sorted([*ready(world), *ready(there)])
    Driver(world).delete("web")
    assert world.entries.passing(service.register.name) == ready(there)
    Driver(there).delete("web")
    assert world.entries.of(service.register.name) == []
    there.close()


def test_without_an_address_as_a_whole_there_is_nothing_to_register(world: ListedFakeWorld) -> None:
    outcome = Driver(world).deploy(named(world, "web", address=Address.SERVICE))
    assert (outcome.state, outcome.exit_code) == (OutcomeState.CONVERGED, 11)
    assert "service 'web' has no address as a whole on fake" in outcome.message
    world.context = replace(world.context, register_address=Address.SERVICE)
    driver = Driver(world)
    assert driver.deploy(replace(world.service(name="api"), register=None)).exit_code == 0, (
        "nobody asked for it in words"
    )
    assert "not registered: it has no address as a whole" in [e.text for e in driver.events]


@pytest.mark.parametrize("strike", [lost_before, lost_after], ids=["before", "after"])
def test_a_lost_answer_is_looked_at_and_not_guessed(world: ListedFakeWorld, strike: object) -> None:
    service = named(world, "web")
    world.front.strike = once(strike)  # type: ignore[arg-type]
    assert Driver(world).deploy(service).exit_code == 0
    assert service.register
    assert world.entries.passing(service.register.name) == ready(world)


def test_a_catalog_that_is_away_is_exit_11_and_the_same_command_repairs_it(own_consul: Consul, tmp_path: Path) -> None:
    world = ListedFakeWorld(own_consul, tmp_path)
    own_consul.kill()
    driver = Driver(world)
    outcome = driver.deploy(world.service())
    assert (outcome.state, outcome.exit_code, outcome.error_code) == (OutcomeState.CONVERGED, 11, "E0900")
    assert "the catalog is not up to date" in outcome.message
    assert any("not registered yet" in e.text for e in driver.events if e.kind is EventKind.PROBLEM)
    own_consul.start()
    assert Driver(world).deploy(world.service()).exit_code == 0
    assert world.entries.passing("web") == ready(world)
    own_consul.kill()
    gone = Driver(world).delete("web")
    assert (gone.state, gone.exit_code) == (OutcomeState.DELETED, 11)
    own_consul.start()
    assert len(world.entries.of("web")) == 2
    world.close()


def test_a_context_without_registration_asks_the_catalog_nothing(world: ListedFakeWorld) -> None:
    world.context = replace(world.context, register=False)
    Driver(world).deploy(world.service())
    Driver(world).scale("web", "3")
    Driver(world).delete("web")
    assert world.front.requests == []
