"""Owner, expiry, renewal, takeover."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.store import Entry, Store
from orchctl.engine.holder import Holder, is_known_dead, this_process
from orchctl.engine.lease import GRACE_S, RENEW_S, TTL_MS, Lease, LeaseInfo, acquire, info_of, lease_key
from orchctl.errors import AlreadyExists, Conflict, LeaseHeld, LeaseLost, Locked, NotFound
from orchctl.testing.driver import Driver
from orchctl.testing.fake import FakeStore
from orchctl.testing.fake_cluster import Fault, FaultKind
from tests.worlds.fake import FakeWorld

ELSEWHERE = replace(this_process("elsewhere"), host="other", boot="other")
HERE = this_process("here")


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


@pytest.fixture
def take(world: FakeWorld) -> Callable[..., Lease]:
    store = world.backend.connect(world.context).store

    def take(holder: Holder, *, timeout_ms: int = 0, seen: list[LeaseInfo] | None = None) -> Lease:
        heard = seen if seen is not None else []
        return acquire(
            store,
            namespace="test",
            name="web",
            holder=holder,
            clock=world.clock,
            timeout_ms=timeout_ms,
            on_wait=heard.append,
        )

    return take


def entry_of(world: FakeWorld) -> LeaseInfo | None:
    return info_of(world.cluster.entries.get(lease_key("test", "web")))


def test_a_held_lease_is_refused_and_the_holder_named(take: Callable[..., Lease]) -> None:
    take(ELSEWHERE)
    with pytest.raises(LeaseHeld, match=r"@other \(pid \d+, since .*\): elsewhere"):
        take(HERE)


def test_a_store_without_the_namespace_is_an_error_and_not_a_wait(world: FakeWorld) -> None:
    class Nowhere(FakeStore):
        def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
            raise NotFound("there is no namespace 'test'")

    with pytest.raises(NotFound, match="no namespace 'test'"):
        taken_from(Nowhere(world.cluster), world)


def test_a_lease_that_is_never_there_when_asked_for_is_given_up(world: FakeWorld) -> None:
    class Quicker(FakeStore):
        def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
            raise AlreadyExists("somebody was quicker")

    with pytest.raises(Conflict, match="changes hands all the time"):
        taken_from(Quicker(world.cluster), world)


def taken_from(store: Store, world: FakeWorld) -> Lease:
    ignored: list[LeaseInfo] = []
    return acquire(
        store, namespace="test", name="web", holder=HERE, clock=world.clock, timeout_ms=0, on_wait=ignored.append
    )


def test_a_released_lease_is_free_at_once(world: FakeWorld, take: Callable[..., Lease]) -> None:
    take(ELSEWHERE).release()
    started = world.clock.now()
    take(HERE)
    assert world.clock.now() == started


def test_the_loser_waits_for_the_release_and_says_for_whom_once(world: FakeWorld, take: Callable[..., Lease]) -> None:
    take(ELSEWHERE)
    seen: list[LeaseInfo] = []
    take(HERE, timeout_ms=300_000, seen=seen)
    assert [i.command for i in seen] == ["elsewhere"]


def test_a_silent_holder_is_overtaken_after_ttl_and_grace_by_our_clock(
    world: FakeWorld, take: Callable[..., Lease]
) -> None:
    take(ELSEWHERE)
    started = world.clock.now()
    take(HERE, timeout_ms=300_000)
    waited = world.clock.now() - started
    assert TTL_MS / 1000 + GRACE_S <= waited <= 90


def test_a_dead_process_of_this_machine_is_overtaken_at_once(world: FakeWorld, take: Callable[..., Lease]) -> None:
    take(replace(HERE, pid=2**22 + 1, token="dead"))
    started = world.clock.now()
    take(HERE)
    assert world.clock.now() == started


def test_another_process_with_the_same_pid_is_not_the_holder() -> None:
    assert is_known_dead({**HERE.meta(), "pid_start": "1"}, HERE)
    assert not is_known_dead(HERE.meta(), HERE)
    assert not is_known_dead({**HERE.meta(), "boot": "another pid namespace", "pid_start": "1"}, HERE)


def test_a_holder_that_proc_hides_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc may hide what belongs to others (hidepid=2); then a signal to it is refused, and not without a goal."""

    def hidden(path: Path, *_words: object) -> str:
        raise FileNotFoundError(path)

    def refused(_pid: int, _signal: int) -> None:
        raise PermissionError

    def gone(_pid: int, _signal: int) -> None:
        raise ProcessLookupError

    theirs = {**HERE.meta(), "pid_start": "1"}
    monkeypatch.setattr(Path, "read_text", hidden)
    monkeypatch.setattr("os.kill", refused)
    assert not is_known_dead(theirs, HERE)
    monkeypatch.setattr("os.kill", gone)
    assert is_known_dead(theirs, HERE)


def test_a_holder_that_could_not_see_its_own_start_is_not_judged_by_it() -> None:
    assert not is_known_dead({**HERE.meta(), "pid_start": "alive"}, HERE)


def test_a_holder_that_was_overtaken_stops_before_its_next_write(world: FakeWorld, take: Callable[..., Lease]) -> None:
    first = take(ELSEWHERE)
    take(HERE, timeout_ms=300_000)
    with pytest.raises(LeaseLost, match="taken over"):
        first.check()


def test_renewal_keeps_others_out(world: FakeWorld, take: Callable[..., Lease]) -> None:
    lease = take(ELSEWHERE)
    for _ in range(10):
        world.clock.sleep(RENEW_S)
        lease.keep()
    with pytest.raises(LeaseHeld):
        take(HERE, timeout_ms=30_000)


def test_a_renewal_that_fails_stops_the_write_but_not_the_waiting(world: FakeWorld, take: Callable[..., Lease]) -> None:
    lease = take(ELSEWHERE)
    world.clock.sleep(RENEW_S)
    world.cluster.set_fault(Fault(FaultKind.UNREACHABLE, 0, times=1_000))
    lease.keep()
    with pytest.raises(LeaseLost, match="could not be renewed"):
        lease.check()
    world.cluster.set_fault(None)
    lease.check()


@pytest.mark.parametrize("kind", [FaultKind.UNREACHABLE, FaultKind.AUTH])
def test_one_refusal_or_one_lost_packet_ends_nothing(
    world: FakeWorld, take: Callable[..., Lease], kind: FaultKind
) -> None:
    lease = take(ELSEWHERE)
    for use in (lease.keep, lease.check):
        world.clock.sleep(RENEW_S)
        world.cluster.set_fault(Fault(kind, 0))
        use()
    with pytest.raises(LeaseHeld):
        take(HERE, timeout_ms=100)


def test_a_lost_answer_to_a_renewal_is_read_back(world: FakeWorld, take: Callable[..., Lease]) -> None:
    lease = take(ELSEWHERE)
    world.clock.sleep(RENEW_S)
    world.cluster.set_fault(Fault(FaultKind.ANSWER_LOST, 0))
    lease.check()
    world.clock.sleep(RENEW_S)
    lease.check()


def test_a_lost_answer_to_taking_it_is_read_back(world: FakeWorld, take: Callable[..., Lease]) -> None:
    world.cluster.set_fault(Fault(FaultKind.ANSWER_LOST, 1))
    take(HERE)
    info = entry_of(world)
    assert info is not None
    assert info.command == "here"


def test_removing_leaves_no_entry(world: FakeWorld, take: Callable[..., Lease]) -> None:
    take(HERE).remove()
    assert lease_key("test", "web") not in world.cluster.entries


def test_a_store_without_the_lease_key_is_a_free_lease(world: FakeWorld) -> None:
    store: Store = world.backend.connect(world.context).store
    assert info_of(store.get(lease_key("test", "web"))) is None


def test_a_takeover_without_compare_and_set_is_told(
    world: FakeWorld, driver: Driver, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeStore, "fenced", False)
    driver.deploy(world.service())
    assert not any("compare-and-set" in e.text for e in driver.events)
    take(replace(HERE, pid=2**22 + 1, token="dead"))
    driver.deploy(world.service(greeting="two"))
    assert any("without compare-and-set" in e.text for e in driver.events)


def test_without_compare_and_set_a_lease_given_back_leaves_nothing_so_that_taking_it_is_creating_it(
    world: FakeWorld, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeStore, "fenced", False)
    take(HERE).release()
    assert lease_key("test", "web") not in world.cluster.entries


def test_without_compare_and_set_a_takeover_that_another_overwrote_is_none(
    world: FakeWorld, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read the dead holder's lease; the write of the other comes while we look again."""
    monkeypatch.setattr(FakeStore, "fenced", False)
    take(replace(HERE, pid=2**22 + 1, token="dead"))
    store: Store = world.backend.connect(world.context).store
    winner = world.clock.now()

    def overwritten(_seconds: float) -> None:
        entry = store.get(lease_key("test", "web"))
        assert entry is not None
        if entry.meta["token"] == HERE.token:
            store.update(
                entry.key, {**entry.meta, "token": "other", "pid": "1", "host": "elsewhere"}, expect=entry.version
            )

    monkeypatch.setattr(type(world.clock), "sleep", lambda _clock, seconds: overwritten(seconds))
    with pytest.raises(LeaseHeld):
        take(HERE, timeout_ms=0)
    assert world.clock.now() == winner


def test_a_store_that_takes_no_write_is_waited_for_and_then_named(
    world: FakeWorld, take: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_store: FakeStore, _key: str, _body: bytes, _meta: Mapping[str, str]) -> Entry:
        raise Locked("as many deployments run as are allowed")

    monkeypatch.setattr(FakeStore, "create", refuse)
    started = world.clock.now()
    with pytest.raises(Locked, match="as many deployments"):
        take(HERE, timeout_ms=3_000)
    assert 3 <= world.clock.now() - started < 5
