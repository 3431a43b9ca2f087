"""The rights that listing needs, and no more; and who is asked at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.catalog.policy import policy
from orchctl.core.catalogs import open_directory
from orchctl.core.rollout import OutcomeState
from orchctl.errors import AuthRefused
from orchctl.testing.driver import Driver
from tests.servers.consul.agent import Consul
from tests.worlds.catalog import ListedFakeWorld, listed, registering
from tests.worlds.consul import reached_like

pytestmark = pytest.mark.world_consul


@pytest.fixture
def secured(secured_consul: Consul, tmp_path: Path) -> Iterator[ListedFakeWorld]:
    """With ACLs and TLS; nobody is trusted yet."""
    world = ListedFakeWorld(secured_consul, tmp_path)
    yield world
    world.close()


def test_the_printed_policy_is_enough_for_everything(
    secured: ListedFakeWorld, secured_consul: Consul, tmp_path: Path
) -> None:
    service, names = listed(secured), [f"web-{secured.context.cluster}"]
    context = replace(secured.context, store="consul")
    rules = policy(context, names)
    secured.context = replace(
        registering(
            context, secured_consul.url, context.cluster, **reached_like(secured_consul, tmp_path / "t", rules)
        ),
        store="consul",
    )
    assert Driver(secured).deploy(service).exit_code == 0
    assert Driver(secured).scale("web", "3").exit_code == 0
    secured.kill_instance("web")
    secured.clock.sleep(5)
    assert [o.state for o in Driver(secured).sync()] == [OutcomeState.CONVERGED]
    told = [f"{e.host}:{e.port}" for e in Driver(secured).discover("web") if e.ready]
    assert secured.entries.passing(names[0]) == sorted(told)
    with open_directory(secured.context) as directory:
        assert len(directory.find(names[0])) == 3
    assert Driver(secured).delete("web").exit_code == 0
    assert Driver(secured).collect() == 0
    assert secured.entries.nodes(secured.context.cluster) == []
    assert secured_consul.api.keys(f"orchctl/{context.cluster}/") == []


def test_every_rule_of_the_policy_is_needed_and_named_when_it_is_missing(
    secured: ListedFakeWorld, secured_consul: Consul, tmp_path: Path
) -> None:
    name = f"web-{secured.context.cluster}"
    rules = [line for line in policy(secured.context, [name]).splitlines() if not line.startswith("#")]
    assert len(rules) == 3
    theirs = {"Node": f"n-{name}", "Address": "10.9.9.9", "Service": {"ID": "x", "Service": name, "Port": 1}}
    secured_consul.api.put("/v1/catalog/register", theirs)
    for number, missing in enumerate(rules):
        settings = reached_like(
            secured_consul, tmp_path / f"t{number}", "\n".join(rule for rule in rules if rule != missing)
        )
        secured.context = registering(secured.context, secured_consul.url, secured.context.cluster, **settings)
        outcome = Driver(secured).deploy(replace(listed(secured, shared=True), env={"GREETING": str(number)}))
        assert (outcome.state, outcome.exit_code, outcome.error_code) == (OutcomeState.CONVERGED, 11, "E1000"), missing
        kind = re.split("[ _]", missing)[0]
        assert re.search(rf"the token's policy needs: .*{kind}", outcome.hint), missing


@pytest.fixture
def two(secured: ListedFakeWorld, secured_consul: Consul, tmp_path: Path) -> Iterator[Callable[[str], Driver]]:
    """Two services whose entries are on one node, each with a token of its own; gives the one who deploys it."""
    given = secured.context

    def holding(name: str) -> Driver:
        rules = policy(given, [f"{name}-{given.cluster}"])
        settings = reached_like(secured_consul, tmp_path / name, rules)
        secured.context = registering(given, secured_consul.url, given.cluster, **settings)
        return Driver(secured)

    for name in ("web", "api"):
        assert holding(name).deploy(listed(secured, name)).exit_code == 0
    [node] = secured.entries.nodes(given.cluster)
    yield holding
    secured_consul.api.put("/v1/catalog/deregister", {"Node": node})


def passing(world: ListedFakeWorld, name: str) -> int:
    return len(world.entries.passing(f"{name}-{world.context.cluster}"))


def test_a_node_goes_when_it_is_empty_and_not_when_it_looks_so(
    secured: ListedFakeWorld, two: Callable[[str], Driver]
) -> None:
    assert two("web").delete("web").exit_code == 0
    assert (passing(secured, "web"), passing(secured, "api")) == (0, 2)
    assert two("api").delete("api").exit_code == 0
    assert secured.entries.nodes(secured.context.cluster) == []


def test_what_is_collected_is_what_the_token_may_see(secured: ListedFakeWorld, two: Callable[[str], Driver]) -> None:
    for name in ("web", "api"):
        del secured.cluster.definitions["test", name]
    assert two("web").collect() == 2
    assert (passing(secured, "web"), passing(secured, "api")) == (0, 2)
    with pytest.raises(AuthRefused, match="the token may not see what is listed"):
        two("web").collect()
    with open_directory(secured.context) as directory:
        [node] = secured.entries.nodes(secured.context.cluster)
        assert (directory.nodes_without_entries(), directory.remove_nodes([node])) == ([], 0)
    assert passing(secured, "api") == 2
    assert two("api").collect() == 2
    assert secured.entries.nodes(secured.context.cluster) == []


def test_a_token_without_the_right_to_see_withdraws_nothing_and_says_so(
    secured: ListedFakeWorld, secured_consul: Consul, two: Callable[[str], Driver], tmp_path: Path
) -> None:
    name = f"web-{secured.context.cluster}"
    with open_directory(two("api").world.context) as directory:
        looks: list[Callable[[], object]] = [
            lambda: directory.publish(("test", "web"), ()),
            lambda: directory.find(name),
            lambda: directory.changed(name, index=0, wait_s=1),
        ]
        for look in looks:
            with pytest.raises(AuthRefused, match="the token may not see"):
                look()
    outcome = two("api").delete("web")
    assert (outcome.state, outcome.exit_code, outcome.error_code) == (OutcomeState.DELETED, 11, "E1000")
    assert re.search(r'service_prefix ".*" { policy = "read" }', outcome.hint)
    assert passing(secured, "web") == 2
    settings = reached_like(secured_consul, tmp_path / "none", 'key_prefix "" { policy = "read" }')
    secured.context = registering(secured.context, secured_consul.url, secured.context.cluster, **settings)
    with open_directory(secured.context) as directory:
        for look in (directory.listed, directory.stray, lambda: directory.publish(("test", "web"), ())):
            with pytest.raises(AuthRefused, match="the token may not see what is listed"):
                look()


def test_a_token_for_one_service_does_everything_for_it_also_when_nothing_is_listed(
    secured: ListedFakeWorld, two: Callable[[str], Driver]
) -> None:
    driver = two("web")
    with open_directory(secured.context) as directory:
        assert directory.publish(("test", "web"), ()).removed == 2
        assert directory.listed() == {}
        assert not directory.publish(("test", "web"), (), names=[f"web-{secured.context.cluster}"])
    [web] = [o for o in driver.sync() if o.service == "web"]
    assert (web.state, web.exit_code) == (OutcomeState.CONVERGED, 0)
    assert passing(secured, "web") == 2
    assert driver.scale("web", "3").exit_code == 0
    assert (passing(secured, "web"), passing(secured, "api")) == (3, 2)


def test_who_shows_no_token_is_not_told_what_is_hidden(secured: ListedFakeWorld, secured_consul: Consul) -> None:
    """Consul takes away what may not be seen and says so only to those who have a token (1.20)."""
    secured.context = registering(secured.context, secured_consul.url, ca=str(secured_consul.ca))
    with open_directory(secured.context) as directory:
        for look in (directory.listed, directory.stray, lambda: directory.publish(("test", "web"), ())):
            with pytest.raises(AuthRefused, match="the token may not see what is listed") as caught:
                look()
            assert caught.value.hint == "name the file with a token: token_file"


def test_an_agent_whose_certificate_is_of_somebody_else_is_not_told_anything(
    secured: ListedFakeWorld, secured_consul: Consul
) -> None:
    secured.context = registering(secured.context, secured_consul.url)
    outcome = Driver(secured).deploy(secured.service())
    assert (outcome.exit_code, outcome.error_code) == (11, "E0900")
    assert "certificate verify failed" in outcome.message
