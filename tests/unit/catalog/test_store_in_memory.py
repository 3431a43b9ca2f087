"""The store over a Consul in memory: the suite of every store, and what a fault at each request leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.catalog.consul import Consul
from orchctl.catalog.store import ConsulStore
from orchctl.core.revision import RevisionStatus
from orchctl.core.store import Store
from orchctl.errors import AlreadyExists, OrchctlError, StalePlan
from orchctl.testing import contract
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Answered, Front, Strike, answering, lost_after, lost_before, untouched
from tests.worlds.consul import in_consul
from tests.worlds.fake import FakeWorld


class TestStore(contract.StoreContract):
    @pytest.fixture
    def store(self, client: Consul) -> Store:
        return ConsulStore(client, "orchctl/test")


STRIKES: dict[str, Strike] = {
    "lost before": lost_before,
    "lost after": lost_after,
    "500": answering(Answered(500, b"rpc error making call: EOF")),
    "no leader": answering(Answered(500, b"No cluster leader")),
    "429": answering(Answered(429, b"too many requests")),
    "a page": answering(Answered(200, b"<html>It works!</html>")),
    "refused": answering(Answered(403, b"ACL not found")),
}


@pytest.fixture
def world(front: Front, tmp_path: Path) -> FakeWorld:
    world = FakeWorld(tmp_path)
    world.context = in_consul(world.context, front.url)
    return world


def _at(number: int, strike: Strike, front: Front) -> None:
    """``strike`` at the request with that number from now on, counted from 0."""
    start = len(front.requests)
    front.strike = lambda asked, go: strike(asked, go) if len(front.requests) - start - 1 == number else go()


@pytest.mark.parametrize("strike", list(STRIKES.values()), ids=list(STRIKES))
def test_a_fault_at_any_request_and_the_same_command_again_converges(
    world: FakeWorld, server: FakeConsul, front: Front, strike: Strike
) -> None:
    struck, greeting = True, "first"
    assert Driver(world).deploy(world.service(greeting=greeting)).exit_code == 0
    number = 0
    while struck:
        _at(number, strike, front)
        greeting = f"g{number}"
        before = len(front.requests)
        try:
            outcome = Driver(world).deploy(world.service(greeting=greeting))
            if outcome.exit_code == 0:
                assert greetings(world.truth("web")) == [greeting] * 2
        except OrchctlError as error:
            assert error.exit_code in (5, 9, 10)
        struck = len(front.requests) - before > number
        front.strike = untouched
        again = Driver(world).deploy(world.service(greeting=greeting))
        assert again.exit_code == 0
        assert greetings(world.truth("web")) == [greeting] * 2
        history = Driver(world).history("web")
        numbers = [r.revision.number for r in history]
        assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))
        assert [r.status for r in history].count(RevisionStatus.DEPLOYED) == 1
        assert history[0].status is RevisionStatus.DEPLOYED
        number += 1
    assert number > 12
    held = [key for key, pair in server.pairs.items() if "Session" in pair]
    assert held == []


def test_an_unchanged_deploy_asks_once_and_writes_nothing(world: FakeWorld, front: Front) -> None:
    Driver(world).deploy(world.service())
    before, writes = len(front.requests), front.writes
    Driver(world).deploy(world.service())
    assert (len(front.requests) - before, front.writes - writes) == (1, 0)


def test_a_whole_namespace_is_listed_in_one_request(world: FakeWorld, front: Front) -> None:
    for name in ("a", "b", "c"):
        Driver(world).deploy(world.service(name=name))
    before = len(front.requests)
    assert len(Driver(world).status_of_all()) == 3
    assert len(front.requests) - before == 1


def test_a_key_of_somebody_else_is_no_entry_and_stays(client: Consul, server: FakeConsul) -> None:
    store = ConsulStore(client, "orchctl/test")
    for key, value in {"x": "aGVsbG8=", "y": "W10K", "z": None}.items():
        server.pairs[f"orchctl/test/shop/web/{key}"] = {
            "Key": f"orchctl/test/shop/web/{key}",
            "Value": value,
            "ModifyIndex": 3,
        }
    assert store.list("shop/") == []
    assert store.get("shop/web/x") is None
    with pytest.raises(AlreadyExists):
        store.create("shop/web/x", b"", {})
    with pytest.raises(StalePlan):
        store.delete("shop/web/x", expect="2")
    assert server.pairs["orchctl/test/shop/web/x"]["Value"] == "aGVsbG8="


@pytest.mark.parametrize("strike", [lost_before, lost_after], ids=["lost before", "lost after"])
def test_taking_the_lease_again_after_a_lost_answer_makes_no_second_session(
    client: Consul, server: FakeConsul, front: Front, strike: Strike
) -> None:
    store = ConsulStore(client, "orchctl/test")
    front.strike = lambda asked, go: strike(asked, go) if asked.path == "/v1/txn" else go()
    with pytest.raises(OrchctlError):
        store.create("shop/web/lease", b"", {"token": "t"})
    front.strike = untouched
    found = store.get("shop/web/lease")
    if found is None:
        found = store.create("shop/web/lease", b"", {"token": "t"})
    store.update("shop/web/lease", {"token": ""}, expect=found.version)
    assert server.sessions == {}
