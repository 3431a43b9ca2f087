"""One deployer per service at a time: owner, expiry, renewal, takeover.

A lease is a Store entry whose metadata names the holder. Taking, renewing, taking over and releasing
are all conditional on the version last read. It is taken over when (a) its holder ran on this machine
and is gone: at once, so that re-running after a kill never waits; or (b) the entry has not
changed for TTL plus grace as seen by *our* monotonic clock: clocks of different machines are never compared.

On stores without compare-and-set (``Store.fenced`` False) creating is all that only one can do. There a lease that is
given back is removed, so that taking a free one is atomic; only the lease of a deployer that died is taken over by a
plain write, looked at again after a moment: two who do that within one request's time may both believe that they hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchctl.core.store import Entry, Store
from orchctl.engine.clock import Clock, patiently
from orchctl.engine.holder import Holder, is_known_dead
from orchctl.errors import (
    AlreadyExists,
    AuthRefused,
    Conflict,
    LeaseHeld,
    LeaseLost,
    Locked,
    NotFound,
    OutcomeUnknown,
    StalePlan,
    Unreachable,
)

TTL_MS = 60_000
RENEW_S = 15.0
GRACE_S = 10.0
_RENEWAL_S = 5.0
"""How long a renewal is tried for before a write; nobody can take the lease meanwhile."""
_LOOK_S = 0.5
_QUICK_LOOK_S = 0.05
_SETTLE_S = 1.0
_MISSES = 20
"""How often the lease may be free and still not be had, beyond the time-out, before that is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """A lease as others see it. ``acquired_at`` is ISO 8601 UTC by the holder's clock."""

    user: str
    host: str
    pid: str
    command: str
    acquired_at: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}, since {self.acquired_at}): {self.command}"


def lease_key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}/lease"


def info_of(entry: Entry | None) -> LeaseInfo | None:
    """Who holds it; None when nobody does."""
    if entry is None or not entry.meta.get("token"):
        return None
    get = entry.meta.get
    return LeaseInfo(
        user=get("user", "?"),
        host=get("host", "?"),
        pid=get("pid", "?"),
        command=get("command", "?"),
        acquired_at=get("acquired_at", "?"),
    )


class Lease:
    """A held lease; the ``Fence`` of a Writer. ``is_uncertain``: another may have taken it over at the same moment."""

    def __init__(self, store: Store, entry: Entry, clock: Clock, *, is_uncertain: bool = False) -> None:
        self.is_uncertain = is_uncertain
        self._store = store
        self._entry = entry
        self._clock = clock
        self._renewed = clock.now()
        self._beat = 0

    def check(self) -> None:
        """Before a write: renew when due. LeaseLost when it is not ours any more or cannot be renewed."""
        if self._clock.now() - self._renewed < RENEW_S:
            return
        try:
            patiently(self._renew, self._clock, _RENEWAL_S)
        except Unreachable as error:
            raise LeaseLost(
                f"the lease could not be renewed, so nothing more is written: {error}",
                hint="run the same command again; it continues where this one stopped",
            ) from error

    def keep(self) -> None:
        """While waiting: renew when due; a backend that is away, or refuses us, is tried again at the next look."""
        if self._clock.now() - self._renewed < RENEW_S:
            return
        try:
            self._renew()
        except (Unreachable, AuthRefused):
            return

    def release(self) -> None:
        """Give it back. A backend that does not answer is no error: the lease then expires by itself."""
        if not self._store.fenced:
            self.remove()
            return
        self._give_back(lambda e: self._store.update(e.key, _nobody(e.meta), expect=e.version))

    def remove(self) -> None:
        """Give it back and leave no entry behind (after the service was deleted)."""
        self._give_back(lambda e: self._store.delete(e.key, expect=e.version))

    def _give_back(self, action: Callable[[Entry], object]) -> None:
        """Twice, re-reading in between: one lost packet must not make the next deployer wait for the TTL."""
        token, entry = self._entry.meta.get("token"), self._entry
        for _ in range(2):
            try:
                action(entry)
            except (StalePlan, NotFound, Unreachable, AuthRefused):
                try:
                    seen = self._store.get(entry.key)
                except (Unreachable, AuthRefused):
                    continue
                if seen is None or seen.meta.get("token") != token:
                    return
                entry = seen
            else:
                return

    def _renew(self) -> None:
        self._beat += 1
        meta = {**self._entry.meta, "beat": str(self._beat)}
        try:
            self._entry = self._store.update(self._entry.key, meta, expect=self._entry.version)
        except (StalePlan, NotFound):
            self._explain_loss()
        except OutcomeUnknown:
            seen = self._store.get(self._entry.key)
            if seen is None or seen.meta.get("token") != meta["token"]:
                self._explain_loss()
            elif seen.version == self._entry.version:  # it never arrived: others see an entry that stands still
                raise
            else:
                self._entry = seen
        self._renewed = self._clock.now()

    def _explain_loss(self) -> None:
        other = info_of(self._store.get(self._entry.key))
        raise LeaseLost(
            f"the lease was taken over by {other}" if other else "the lease was broken by somebody",
            hint="nothing more was written; run the same command again",
        )


def acquire(
    store: Store,
    *,
    namespace: str,
    name: str,
    holder: Holder,
    clock: Clock,
    timeout_ms: int,
    on_wait: Callable[[LeaseInfo], None],
) -> Lease:
    """Take the lease, waiting up to ``timeout_ms`` for another holder; LeaseHeld when that passes, and Locked when the store
    itself took no write for so long.

    ``on_wait`` is called when a holder is first seen and whenever it changes.
    """
    key, started = lease_key(namespace, name), clock.now()
    meta = {**holder.meta(), "acquired_at": clock.wall(), "ttl_ms": str(TTL_MS)}
    watch, misses = _Watch(clock), 0
    while True:
        seen = store.get(key)
        blocked: Locked | None = None
        try:
            entry = _try_take(store, key, seen, meta, watch, holder)
        except Locked as locked:
            entry, blocked = None, locked
        if entry:
            return Lease(store, entry, clock, is_uncertain=seen is not None and not store.fenced)
        other, late = info_of(seen), (clock.now() - started) * 1000 >= timeout_ms
        if other is not None and watch.is_new_holder(other):
            on_wait(other)
        if other is not None and late:
            raise LeaseHeld(
                f"service {name!r} in namespace {namespace!r} is being changed by {other}",
                hint="wait longer with --lock-timeout (and --timeout), or look with: orchctl lock show " + name,
            )
        if late and blocked is not None:
            raise blocked
        if late and misses >= _MISSES:
            raise Conflict(f"the lease of service {name!r} in namespace {namespace!r} changes hands all the time")
        misses += other is None
        nap, left = _LOOK_S if other or blocked else _QUICK_LOOK_S, started + timeout_ms / 1000 - clock.now()
        clock.sleep(nap if late else min(nap, max(left, _QUICK_LOOK_S)))


def break_lease(store: Store, namespace: str, name: str) -> LeaseInfo | None:
    """Take the lease from whoever holds it; returns who that was, None when it was free."""
    entry = store.get(lease_key(namespace, name))
    info = info_of(entry)
    if entry is not None and info is not None:
        store.update(entry.key, _nobody(entry.meta), expect=entry.version)
    return info


class _Watch:
    """Remembers since when the entry has been standing still, by our clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._version: str | None = None
        self._since = 0.0
        self._holder: LeaseInfo | None = None

    def still_for(self, version: str) -> float:
        """Seconds for which ``version`` has been the same."""
        if version != self._version:
            self._version, self._since = version, self._clock.now()
        return self._clock.now() - self._since

    def settle(self) -> None:
        """Long enough for the write of another who has read the same as we have."""
        self._clock.sleep(_SETTLE_S)

    def is_new_holder(self, other: LeaseInfo) -> bool:
        changed = other != self._holder
        self._holder = other
        return changed


def _try_take(
    store: Store, key: str, seen: Entry | None, meta: Mapping[str, str], watch: _Watch, holder: Holder
) -> Entry | None:
    """One attempt; None = somebody holds it, or was quicker.

    NotFound from making it (there is no such namespace) is for the user to hear.
    """
    try:
        if seen is None:
            return store.create(key, b"", meta)
        if not seen.meta.get("token") or is_known_dead(seen.meta, holder) or _expired(seen, watch):
            return _take_over(store, seen, meta, watch)
    except (AlreadyExists, StalePlan):
        return None
    except OutcomeUnknown:
        found = store.get(key)
        return found if found is not None and found.meta.get("token") == meta["token"] else None
    return None


def _take_over(store: Store, seen: Entry, meta: Mapping[str, str], watch: _Watch) -> Entry | None:
    try:
        taken = store.update(seen.key, meta, expect=seen.version)
    except NotFound:
        return None
    if store.fenced:
        return taken
    watch.settle()
    found = store.get(seen.key)
    return found if found is not None and found.meta.get("token") == meta["token"] else None


def _expired(seen: Entry, watch: _Watch) -> bool:
    ttl = seen.meta.get("ttl_ms", "")
    ttl_s = int(ttl) / 1000 if ttl.isdigit() else TTL_MS / 1000
    return watch.still_for(seen.version) >= ttl_s + GRACE_S


def _nobody(meta: Mapping[str, str]) -> dict[str, str]:
    """Released: the last holder stays readable, the token goes."""
    return {**meta, "token": ""}
