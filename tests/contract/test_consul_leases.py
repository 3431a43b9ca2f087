"""A held lease is Consul's own lock: who may take it, when it is free again, and what its former holder may still do."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchctl.catalog.consul import Consul as Client
from orchctl.catalog.store import LOCK_DELAY_S, ConsulStore
from orchctl.core.store import Entry
from orchctl.engine import lease as leases
from orchctl.engine.clock import SystemClock
from orchctl.engine.holder import Holder, this_process
from orchctl.engine.lease import Lease, LeaseInfo, acquire, break_lease, info_of, lease_key
from orchctl.errors import LeaseHeld, LeaseLost, StalePlan
from orchctl.testing.virtual_time import VirtualClock
from tests.servers.consul.agent import Consul
from tests.servers.consul.api import Api
from tests.servers.consul.front import Front, forwarding, lost_after, once
from tests.servers.waiting import until
from tests.unit.catalog.support import connected

pytestmark = pytest.mark.world_consul

ELSEWHERE = replace(this_process("elsewhere"), host="other", boot="other")
KEY = lease_key("shop", "web")


@dataclass
class Place:
    """Several deployers that meet below one root."""

    api: Api
    url: str
    root: str
    clients: list[Client]

    def store(self, *, lock_delay_s: int = LOCK_DELAY_S, url: str = "") -> ConsulStore:
        client = connected(url or self.url)
        self.clients.append(client)
        return ConsulStore(client, self.root, lock_delay_s=lock_delay_s)

    def take(
        self,
        store: ConsulStore,
        holder: Holder = ELSEWHERE,
        *,
        clock: SystemClock | VirtualClock | None = None,
        timeout_ms: int = 0,
        heard: list[LeaseInfo] | None = None,
    ) -> Lease:
        return acquire(
            store,
            namespace="shop",
            name="web",
            holder=replace(holder, token=uuid.uuid4().hex),
            clock=clock or SystemClock(),
            timeout_ms=timeout_ms,
            on_wait=(heard if heard is not None else []).append,
        )

    @property
    def pair(self) -> dict[str, Any]:
        found = self.api.pair(f"{self.root}/{KEY}")
        assert found
        return found

    @property
    def session(self) -> dict[str, Any] | None:
        """The one that holds the lock."""
        identity = self.pair.get("Session")
        return next((s for s in self.api.sessions() if s["ID"] == identity), None)

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """All that were made for leases below our root."""
        return [s for s in self.api.sessions() if s["Name"].startswith(f"{self.root}/")]

    def destroy_session(self) -> None:
        self.api.put(f"/v1/session/destroy/{self.pair['Session']}")


def _place(consul: Consul) -> Iterator[Place]:
    place = Place(consul.api, consul.url, f"orchctl/{uuid.uuid4().hex}", [])
    yield place
    for client in place.clients:
        client.close()
    place.api.delete(f"/v1/kv/{place.root}", recurse="1")


@pytest.fixture
def place(consul: Consul) -> Iterator[Place]:
    yield from _place(consul)


def fence_of(place: Place, key: str) -> int:
    value = place.api.value(f"{place.root}/{key}")
    assert value
    return int(json.loads(value.partition(b"\n")[0])["fence"])


def test_the_lock_belongs_to_a_session_that_only_its_holder_keeps_alive(place: Place) -> None:
    place.take(place.store())
    session = place.session
    assert session
    assert (session["TTL"], session["Behavior"], session["LockDelay"]) == ("60s", "release", LOCK_DELAY_S * 10**9)
    assert (session["NodeChecks"], session["ServiceChecks"]) == ([], None)
    assert LOCK_DELAY_S >= leases.RENEW_S


def test_a_released_lock_leaves_no_session_and_is_free_at_once(place: Place) -> None:
    place.take(place.store()).release()
    assert "Session" not in place.pair
    assert place.sessions == []
    place.take(place.store(), timeout_ms=0)


def test_a_removed_lock_leaves_nothing(place: Place) -> None:
    place.take(place.store()).remove()
    assert place.api.pair(f"{place.root}/{KEY}") is None
    place.take(place.store()).release()


def test_renewing_keeps_the_session_and_moves_the_version(place: Place) -> None:
    clock = VirtualClock()
    lease = place.take(place.store(), clock=clock)
    before = place.pair
    for _ in range(3):
        clock.sleep(leases.RENEW_S)
        lease.check()
    assert place.pair["Session"] == before["Session"]
    assert place.pair["ModifyIndex"] > before["ModifyIndex"]


def test_a_dead_holder_is_freed_by_consul_and_one_that_renews_is_not(place: Place) -> None:
    """Ten seconds are the shortest that Consul allows; it takes up to twice as long."""
    dead, living = place.store(lock_delay_s=1), place.store()
    meta = {"token": "t", "ttl_ms": "10000", "user": "ci"}
    dead.create("shop/dead/lease", b"", meta)
    entry = living.create("shop/living/lease", b"", meta)
    look = place.store()
    started = time.monotonic()

    def is_freed() -> Entry | None:
        nonlocal entry
        entry = living.update("shop/living/lease", meta, expect=entry.version)
        return next((e for e in look.list("shop/dead/") if info_of(e) is None), None)

    freed = until("the end of the dead holder's session", is_freed, every=1.0)
    assert time.monotonic() - started >= 10
    assert freed
    assert freed.meta["user"] == "ci"
    assert info_of(look.get("shop/living/lease")) is not None

    def is_taken() -> Entry | None:
        seen = look.get("shop/dead/lease")
        assert seen
        try:
            return look.update("shop/dead/lease", {"token": "u"}, expect=seen.version)
        except StalePlan:
            return None

    until("the end of the lock's delay", is_taken)


def test_a_session_that_is_destroyed_stops_its_holder_before_the_next_write(place: Place) -> None:
    clock, store = VirtualClock(), place.store()
    lease = place.take(store, clock=clock)
    record = store.create("shop/web/r/00000001", b"", {})
    place.destroy_session()
    with pytest.raises(LeaseLost, match="Consul refused the write"):
        store.update("shop/web/r/00000001", {"status": "deployed"}, expect=record.version)
    with pytest.raises(LeaseLost, match="Consul refused the write"):
        store.create("shop/web/r/00000002", b"", {})
    with pytest.raises(LeaseLost, match="Consul refused the write"):
        store.delete("shop/web/r/00000001", expect=record.version)
    clock.sleep(leases.RENEW_S)
    with pytest.raises(LeaseLost, match="broken by somebody"):
        lease.check()


def test_after_an_invalidation_consul_gives_the_lock_out_only_after_the_delay(place: Place) -> None:
    place.take(place.store(lock_delay_s=2))
    started = time.monotonic()
    place.destroy_session()
    heard: list[LeaseInfo] = []
    place.take(place.store(), this_process("next"), timeout_ms=120_000, heard=heard)
    assert time.monotonic() - started >= 2
    assert [info.command for info in heard] == ["elsewhere"]


def test_who_does_not_wait_for_the_delay_is_told_for_whom_it_is(place: Place) -> None:
    place.take(place.store())
    place.destroy_session()
    assert info_of(place.store().get(KEY)) is None
    with pytest.raises(LeaseHeld, match=r"is being changed by .*elsewhere"):
        place.take(place.store(), this_process("next"))
    assert place.sessions == []


def test_a_dead_process_of_this_machine_is_overtaken_without_a_delay(place: Place) -> None:
    dead = replace(this_process("killed"), pid=2**22 + 1)
    store = place.store()
    place.take(store, dead)
    record = store.create("shop/web/r/00000001", b"", {})
    place.take(place.store(), this_process("next"), timeout_ms=0)
    with pytest.raises(LeaseLost):
        store.update("shop/web/r/00000001", {"status": "deployed"}, expect=record.version)


def test_a_silent_holder_is_overtaken_by_our_clock_and_stops(place: Place) -> None:
    """Its session lives on: Consul's clock is real, the engine's is not."""
    clock = VirtualClock()
    first = place.take(place.store(), clock=clock)
    place.take(place.store(), this_process("next"), clock=clock, timeout_ms=300_000)
    with pytest.raises(LeaseLost, match=r"taken over by .*next"):
        first.check()


def test_a_broken_lock_is_free_without_a_delay_and_its_holder_stops(place: Place) -> None:
    clock = VirtualClock()
    store = place.store()
    first = place.take(store, clock=clock)
    broken = break_lease(place.store(), "shop", "web")
    assert broken is not None
    assert broken.command == "elsewhere"
    with pytest.raises(LeaseLost):
        store.create("shop/web/r/00000001", b"", {})
    place.take(place.store(), this_process("next"))
    clock.sleep(leases.RENEW_S)
    with pytest.raises(LeaseLost, match=r"taken over by .*next"):
        first.check()


def test_every_write_has_the_number_of_its_lease_and_numbers_rise(place: Place) -> None:
    numbers = []
    for turn in range(3):
        store = place.store()
        lease = place.take(store)
        taken_at = place.pair["ModifyIndex"]
        key = f"shop/web/r/{turn:08d}"
        entry = store.create(key, b"", {"status": "pending"})
        store.update(key, {"status": "deployed"}, expect=entry.version)
        assert fence_of(place, key) == taken_at
        numbers.append(taken_at)
        lease.release()
    assert numbers == sorted(set(numbers))
    store = place.store()
    store.create("shop/web/r/00000009", b"", {})
    assert fence_of(place, "shop/web/r/00000009") == 0


def test_a_lost_answer_to_taking_it_is_read_back(place: Place) -> None:
    with Front(forwarding(place.api)) as front:
        front.strike = once(lost_after)
        store = place.store(url=front.url)
        place.take(store)
        store.create("shop/web/r/00000001", b"", {})
        assert fence_of(place, "shop/web/r/00000001") == place.pair["ModifyIndex"]
    assert len(place.sessions) == 1


def test_a_restart_of_consul_takes_no_lock_from_anybody(own_consul: Consul) -> None:
    for place in _place(own_consul):
        clock = VirtualClock()
        store = place.store()
        lease = place.take(store, clock=clock)
        own_consul.kill()
        clock.sleep(leases.RENEW_S)
        lease.keep()
        with pytest.raises(LeaseLost, match="could not be renewed"):
            lease.check()
        own_consul.start()
        lease.check()
        store.create("shop/web/r/00000001", b"", {})
        with pytest.raises(LeaseHeld):
            place.take(place.store(), this_process("next"))
