"""What orchctl asks of Consul: a narrow port, and py-consul behind it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from orchctl.catalog.failures import refused
from orchctl.catalog.rows import number, text
from orchctl.catalog.target import Target
from orchctl.errors import BackendUnavailable, OutcomeUnknown, Unreachable, UsageError

if TYPE_CHECKING:
    from orchctl.catalog.transport import Client

MOST_TRANSACTION_BYTES = 512 << 10
"""The agent's ``txn_max_req_len`` and ``kv_max_value_size`` are both this by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A key as it stands. ``index`` moves with every change and never comes back; ``session`` holds its lock, "" = nobody."""

    key: str
    value: bytes
    index: int
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a transaction, in Consul's words: cas, delete-cas, lock, unlock, check-index, check-session,
    check-not-exists."""

    verb: str
    key: str
    value: bytes = b""
    index: int = 0
    session: str = ""


class Refused(Exception):
    """A transaction was not carried out: ``step`` (from 0) could not be, for ``reason``, in Consul's words."""

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(reason)
        self.step = step
        self.reason = reason


class ConsulPort(Protocol):
    """Every call has connect and read time-outs and raises errors of orchctl only; a write whose answer is lost is
    OutcomeUnknown. Used by one thread at a time."""

    words: str

    def set_patience(self, seconds: float) -> None:
        """From now on a read gives up after ``seconds``, or after the client's own limit where that is shorter."""

    def get(self, key: str) -> Pair | None:
        """One key. AuthRefused when it may not be read."""

    def list(self, prefix: str) -> tuple[Pair, ...]:
        """All keys that start so, in one request (two when there are none). AuthRefused when some may not be read."""

    def transact(self, steps: Sequence[Step]) -> tuple[Pair, ...]:
        """All or nothing; the pairs as they stand afterwards, without values. Refused, UsageError when it is too large."""

    def create_session(self, name: str, *, ttl_s: int, lock_delay_s: int) -> str:
        """A session that ends when it was not renewed for ``ttl_s`` (10 to 86400), whatever becomes of the agent's
        node. Its locks are then free, and given out again ``lock_delay_s`` later."""

    def renew_session(self, identity: str) -> bool:
        """False when it is over."""

    def destroy_session(self, identity: str) -> None:
        """It must hold no lock any more, or the lock's delay begins."""

    def leader(self) -> str:
        """Address of the leader, "" when there is none. Asks for no right."""

    def version(self) -> str:
        """Of the agent; needs the right to read it."""

    def may_create_sessions(self) -> None:
        """AuthRefused with the missing rule when not. Creates none."""

    def close(self) -> None: ...


class Consul:
    """The port over HTTP. BackendUnavailable when py-consul is not installed."""

    def __init__(self, target: Target) -> None:
        self.words = target.words
        self._client = _client(target)

    def set_patience(self, seconds: float) -> None:
        from orchctl.catalog.transport import READ_S

        self._client.http.patience_s = min(READ_S, seconds)

    def get(self, key: str) -> Pair | None:
        with self._read():
            _, found = self._client.kv.get(key)
            return None if found is None else _below(key, [found], whole=True)[0]

    def list(self, prefix: str) -> tuple[Pair, ...]:
        with self._read():
            _, found = self._client.kv.get(prefix, recurse=True)
            if found:
                return _below(prefix, found)
        # Consul answers "nothing there" also when nothing may be seen (1.20); a single key is refused in words.
        self.get(f"{prefix}:")
        return ()

    def transact(self, steps: Sequence[Step]) -> tuple[Pair, ...]:
        payload = json.dumps([{"KV": _step(s)} for s in steps])
        if len(payload) > MOST_TRANSACTION_BYTES:
            raise UsageError(
                f"{self.words}: {steps[-1].key} would be a request of {len(payload)} bytes, more than the"
                f" {MOST_TRANSACTION_BYTES >> 10} KiB that Consul takes",
                hint="move large files out of the spec, for instance into the image or a volume",
            )
        with self._write():
            status, answer = self._client.http.put(_status_and_json, "/v1/txn", self._where(), payload, self._headers())
            if status == 200:
                return _written(steps, answer["Results"] or ())
            step, reason = number(answer["Errors"][0]["OpIndex"]), text(answer["Errors"][0]["What"])
        if "Permission denied" in reason:
            raise refused(reason, where=self.words)
        raise Refused(step, reason)

    def create_session(self, name: str, *, ttl_s: int, lock_delay_s: int) -> str:
        # Without checks: whether the agent that was asked stays healthy says nothing about us.
        with self._idempotent():
            made = self._client.session.create(name, checks=[], lock_delay=lock_delay_s, behavior="release", ttl=ttl_s)
            return text(made)

    def renew_session(self, identity: str) -> bool:
        import consul.exceptions

        try:
            with self._idempotent():
                return text(self._client.session.renew(identity)["ID"]) == identity
        except consul.exceptions.NotFound:
            return False

    def destroy_session(self, identity: str) -> None:
        with self._idempotent():
            self._client.session.destroy(identity)

    def leader(self) -> str:
        with self._read():
            return text(self._client.status.leader())

    def version(self) -> str:
        with self._read():
            # ``agent.self`` of py-consul 1.8 sends no token.
            _, answer = self._client.http.get(_status_and_json, "/v1/agent/self", headers=self._headers())
            return text(answer["Config"]["Version"])

    def may_create_sessions(self) -> None:
        """Consul looks at the right first and only then at what a session shall do (1.20, session_endpoint.go), so one
        that cannot be is never made."""
        try:
            with self._idempotent():
                self._client.http.put(
                    _status_and_text, "/v1/session/create", self._where(), _NO_SESSION, self._headers()
                )
        except Unreachable as error:
            if "Invalid Behavior" not in str(error):
                raise

    def close(self) -> None:
        self._client.http.close()

    def _where(self) -> Sequence[tuple[str, str]]:
        """``Txn.put`` of py-consul 1.8 sends neither datacenter nor token."""
        return [("dc", self._client.dc)] if self._client.dc else []

    def _headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] = self._client.prepare_headers()
        return headers

    @contextmanager
    def _read(self) -> Iterator[None]:
        with self._understood(Unreachable):
            yield

    @contextmanager
    def _write(self) -> Iterator[None]:
        with self._understood(OutcomeUnknown):
            yield

    @contextmanager
    def _idempotent(self) -> Iterator[None]:
        """A lost answer leaves at most a session that ends by itself."""
        try:
            with self._understood(Unreachable):
                yield
        except OutcomeUnknown as error:
            raise Unreachable(str(error), hint=error.hint) from error

    @contextmanager
    def _understood(self, lost: type[Unreachable]) -> Iterator[None]:
        """Whatever a strange answer does to those who take it apart, py-consul among them."""
        import consul.exceptions

        try:
            yield
        except consul.exceptions.NotFound:
            raise
        except (consul.exceptions.ConsulException, LookupError, TypeError, ValueError, AttributeError, RecursionError):
            raise lost(f"{self.words}: the answer is not what Consul says there; is this a Consul agent?") from None


_WRITING = ("cas", "lock", "unlock")
_NO_SESSION = json.dumps({"Behavior": "neither"})


def _client(target: Target) -> Client:
    try:
        from consul import base
    except ModuleNotFoundError as error:
        if error.name != "consul":
            raise
        hint = "pip install 'orchctl[consul]'"
        raise BackendUnavailable(
            "Consul needs the Python package py-consul, which is not installed", hint=hint
        ) from error
    # Both packages are called consul, and the one installed last has overwritten the other's files.
    if not getattr(base, "KV", None):
        raise BackendUnavailable(
            "the Python package 'consul' that is installed is python-consul, which ended in 2018",
            hint="pip uninstall python-consul python-consul2 && pip install --force-reinstall 'py-consul>=1.8,<2'",
        )
    from orchctl.catalog.transport import Client

    return Client(target)


def _status_and_json(response: Any) -> tuple[int, Any]:
    return response.code, json.loads(response.body)


def _status_and_text(response: Any) -> tuple[int, str]:
    return response.code, response.body


def _step(step: Step) -> dict[str, Any]:
    written: dict[str, Any] = {"Verb": step.verb, "Key": step.key}
    if step.verb in _WRITING:
        written["Value"] = base64.b64encode(step.value).decode("ascii")
    if step.verb in ("cas", "delete-cas", "check-index"):
        written["Index"] = step.index
    return written | ({"Session": step.session} if step.session else {})


def _below(prefix: str, found: Iterable[Any], *, whole: bool = False) -> tuple[Pair, ...]:
    """ValueError for what was not asked for."""
    pairs = tuple(_pair(one) for one in found)
    for pair in pairs:
        if pair.key != prefix if whole else not pair.key.startswith(prefix):
            raise ValueError(pair.key)
    return pairs


def _written(steps: Sequence[Step], results: Iterable[Any]) -> tuple[Pair, ...]:
    """ValueError when a key that was written is not among them: then nobody knows its index."""
    pairs = tuple(_pair_without_value(result["KV"]) for result in results)
    if missing := {s.key for s in steps if s.verb in _WRITING} - {pair.key for pair in pairs}:
        raise ValueError(missing)
    return pairs


def _pair(found: Mapping[str, Any]) -> Pair:
    value = found["Value"]
    if not isinstance(value, bytes | None):
        raise TypeError(value)
    return Pair(
        key=text(found["Key"]),
        value=value or b"",
        index=number(found["ModifyIndex"]),
        session=text(found.get("Session", "")),
    )


def _pair_without_value(found: Mapping[str, Any]) -> Pair:
    return Pair(
        key=text(found["Key"]), value=b"", index=number(found["ModifyIndex"]), session=text(found.get("Session", ""))
    )
