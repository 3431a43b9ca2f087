"""Release records and leases in Consul's key-value store.

One key for each entry: a line of JSON with the metadata, then the body as it is. Every write is a transaction, since
only a transaction answers with the new index; every condition is one of its steps, so Consul itself does the
compare-and-set.

A lease that is held is Consul's own lock: its key belongs to a session of the holder, which ends a minute after the last
renewal. The engine's rule (who may take it, and when) stays in force on top of that; specs/decisions/0011 has the reasons.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchctl.catalog.consul import ConsulPort, Pair, Refused, Step
from orchctl.core.codec import canonical_json
from orchctl.core.store import Entry, Store
from orchctl.errors import AlreadyExists, Conflict, LeaseLost, NotFound, OrchctlError, OutcomeUnknown, StalePlan

LOCK_DELAY_S = 15
"""How long Consul gives a lock to nobody after it took it from its holder. A holder writes for at most this long without
having looked whether the lease is still its own (engine/lease.py: RENEW_S)."""
_DELAYED_LOOK_S = 1.0
"""How often a lock that Consul does not give out yet is tried for."""
_LEASE = "lease"
_DELAY = "due to lock delay"
_SHORTEST_TTL_S, _LONGEST_TTL_S, _USUAL_TTL_S = 10, 86_400, 60


@dataclass(frozen=True, slots=True)
class _Held:
    """A lease of ours. ``fence`` is the index at which we took it, 0 while the answer to that is lost."""

    session: str
    fence: int = 0


class ConsulStore(Store):
    """``root`` stands before every key. Requests: get, create and delete 1, list 1 (2 when there is nothing),
    update 2; taking a lease 3, renewing it 3, giving it back 3. ``now`` gives seconds.
    """

    fenced = True

    def __init__(
        self,
        port: ConsulPort,
        root: str,
        *,
        lock_delay_s: int = LOCK_DELAY_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port = port
        self._root = root
        self._lock_delay_s = lock_delay_s
        self._now = now
        self._held: dict[str, _Held] = {}
        self._delayed_until: dict[str, float] = {}

    def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        with _refused_as(AlreadyExists(f"{key} exists already")):
            if _is_lease(key) and meta.get("token"):
                return self._take(key, body, meta, [self._step("check-not-exists", key)])
            return self._write(key, body, meta, [self._step("cas", key, value=self._value(key, body, meta))])

    def get(self, key: str) -> Entry | None:
        pair = self._port.get(self._path(key))
        return self._entry(pair) if pair else None

    def list(self, prefix: str) -> Sequence[Entry]:
        found = (self._entry(pair) for pair in self._port.list(self._path(prefix)))
        return sorted((entry for entry in found if entry), key=lambda e: e.key)

    def update(self, key: str, meta: Mapping[str, str], *, expect: str) -> Entry:
        pair = self._port.get(self._path(key))
        if pair is None:
            raise NotFound(f"{key} is gone")
        if str(pair.index) != expect:
            raise _moved(key)
        _, body = _parts(pair)
        with _refused_as(_moved(key)):
            if not _is_lease(key):
                value = self._value(key, body, meta)
                return self._write(key, body, meta, [self._step("cas", key, value=value, index=pair.index)])
            if not meta.get("token"):
                return self._free(key, body, meta, pair)
            if pair.session and pair.session == self._session_of(key):
                return self._renew(key, body, meta, pair)
            return self._take(key, body, meta, self._taking_from(key, pair))

    def delete(self, key: str, *, expect: str) -> None:
        index = int(expect) if expect.isdigit() else 0
        with _refused_as(_moved(key)):
            self._transact(key, [self._step("delete-cas", key, index=index)])
        if _is_lease(key):
            self._forget(key)

    def _write(self, key: str, body: bytes, meta: Mapping[str, str], steps: Sequence[Step]) -> Entry:
        written = self._transact(key, steps)
        return Entry(key=key, body=body, meta=dict(meta), version=str(written[-1].index))

    def _transact(self, key: str, steps: Sequence[Step]) -> tuple[Pair, ...]:
        """Under the lease of the key's service, when we hold it: then Consul refuses the write as soon as we do not."""
        lease = _lease_of(key)
        held = None if lease == key else self._held.get(lease)
        if held is None:
            return self._port.transact(steps)
        try:
            return self._port.transact([self._step("check-session", lease, session=held.session), *steps])
        except Refused as refused:
            if refused.step > 0:
                raise
            raise LeaseLost(
                f"the lease of {key.partition('/')[2].partition('/')[0]!r} is not ours any more, so Consul refused the write",
                hint="nothing more was written; run the same command again",
            ) from refused

    def _take(self, key: str, body: bytes, meta: Mapping[str, str], conditions: Sequence[Step]) -> Entry:
        """Lock the key for a session of ours."""
        self._held[key] = held = _Held(self._new_session(key, meta))
        value = self._value(key, body, meta)
        try:
            entry = self._write(
                key, body, meta, [*conditions, self._step("lock", key, value=value, session=held.session)]
            )
        except OutcomeUnknown:
            raise  # the caller reads back whether the lease is ours
        except (Refused, OrchctlError) as error:
            self._forget(key)
            if _DELAY in str(error):
                self._delayed_until[key] = self._now() + _DELAYED_LOOK_S
            raise
        self._held[key] = _Held(held.session, int(entry.version))
        return entry

    def _taking_from(self, key: str, pair: Pair) -> Sequence[Step]:
        """Conditions for taking what is free or, as the engine has decided, what another one holds no longer. Unlocking
        is no invalidation, so no delay follows it."""
        still = self._step("check-index", key, index=pair.index)
        return [still, self._step("unlock", key, value=pair.value, session=pair.session)] if pair.session else [still]

    def _renew(self, key: str, body: bytes, meta: Mapping[str, str], pair: Pair) -> Entry:
        if not self._port.renew_session(pair.session):
            raise _moved(key)
        still = self._step("check-index", key, index=pair.index)
        value = self._value(key, body, meta)
        return self._write(key, body, meta, [still, self._step("lock", key, value=value, session=pair.session)])

    def _free(self, key: str, body: bytes, meta: Mapping[str, str], pair: Pair) -> Entry:
        value = self._value(key, body, meta)
        if not pair.session:
            return self._write(key, body, meta, [self._step("cas", key, value=value, index=pair.index)])
        still = self._step("check-index", key, index=pair.index)
        entry = self._write(key, body, meta, [still, self._step("unlock", key, value=value, session=pair.session)])
        if pair.session == self._session_of(key):
            self._forget(key)
        return entry

    def _new_session(self, key: str, meta: Mapping[str, str]) -> str:
        """The one of an attempt whose answer was lost, when it still lives."""
        before = self._session_of(key)
        if before and self._port.renew_session(before):
            return before
        ttl_ms = meta.get("ttl_ms", "")
        ttl_s = int(ttl_ms) // 1000 if ttl_ms.isdigit() else _USUAL_TTL_S
        ttl_s = max(_SHORTEST_TTL_S, min(_LONGEST_TTL_S, ttl_s))
        return self._port.create_session(self._path(key), ttl_s=ttl_s, lock_delay_s=self._lock_delay_s)

    def _forget(self, key: str) -> None:
        """Our session for a lock that it does not hold any more; one that cannot be destroyed now ends by itself."""
        if held := self._held.pop(key, None):
            with contextlib.suppress(OrchctlError):
                self._port.destroy_session(held.session)

    def _session_of(self, key: str) -> str:
        held = self._held.get(key)
        return held.session if held else ""

    def _entry(self, pair: Pair) -> Entry | None:
        """None for a key that is no entry of ours."""
        key = pair.key.removeprefix(f"{self._root}/")
        header, body = _parts(pair)
        if header is None:
            return None
        if _is_lease(key):
            header = self._lease_as_seen(key, header, pair)
        return Entry(key=key, body=body, meta=header, version=str(pair.index))

    def _lease_as_seen(self, key: str, meta: dict[str, str], pair: Pair) -> dict[str, str]:
        """A lock whose session ended is free, whatever its holder wrote; while Consul holds it back, it is still his."""
        held = self._held.get(key)
        if held and not held.fence and pair.session == held.session:
            self._held[key] = _Held(held.session, pair.index)
        if pair.session or self._now() < self._delayed_until.get(key, 0.0):
            return meta
        return {**meta, "token": ""} if meta.get("token") else meta

    def _value(self, key: str, body: bytes, meta: Mapping[str, str]) -> bytes:
        held = self._held.get(_lease_of(key))
        header = {"meta": dict(meta), "fence": held.fence if held else 0}
        return canonical_json(header).encode("utf-8") + b"\n" + body

    def _step(self, verb: str, key: str, *, value: bytes = b"", index: int = 0, session: str = "") -> Step:
        return Step(verb=verb, key=self._path(key), value=value, index=index, session=session)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"


@contextlib.contextmanager
def _refused_as(error: Conflict) -> Iterator[None]:
    """A transaction that was refused means that its condition did not hold."""
    try:
        yield
    except Refused as refused:
        raise error from refused


def _is_lease(key: str) -> bool:
    return key == _lease_of(key)


def _lease_of(key: str) -> str:
    namespace, service, *_ = [*key.split("/"), "", ""]
    return f"{namespace}/{service}/{_LEASE}"


def _moved(key: str) -> StalePlan:
    return StalePlan(f"{key} was changed by somebody else since it was read")


def _parts(pair: Pair) -> tuple[dict[str, str] | None, bytes]:
    """Metadata and body; metadata None when the value is not one that orchctl writes."""
    line, newline, body = pair.value.partition(b"\n")
    try:
        header: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None, body
    meta = header.get("meta") if isinstance(header, dict) else None
    if not newline or not isinstance(meta, dict) or not all(isinstance(v, str) for v in meta.values()):
        return None, body
    return meta, body
