"""The few endpoints of Consul that a store needs, in memory: for faults, and where no Consul can run.

Texts, statuses and rules are those of Consul 1.20; tests/contract/test_consul_store.py runs one suite on both.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.servers.consul.fake_catalog import FakeCatalog
from tests.servers.consul.fake_catalog import Refused as CatalogRefused
from tests.servers.consul.front import Answered, Asked

Pair = dict[str, Any]
_INTENTIONS = "/v1/config/service-intentions/"


class _Refused(Exception):
    """Why a step cannot be carried out."""


@dataclass
class FakeConsul:
    """``respond`` is for a ``Front``. ``may_write``: may keys be changed and sessions made?"""

    pairs: dict[str, Pair] = field(default_factory=dict)
    config: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Entries of the kind ``service-intentions``, by name."""
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    may_write: bool = True
    index: int = 10
    catalog: FakeCatalog = field(init=False)
    _delayed: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.catalog = FakeCatalog(self._next)

    def respond(self, asked: Asked) -> Answered:
        with self._lock:
            path = unquote(asked.path)
            if asked.method == "GET":
                return self._read(path, asked)
            if path == "/v1/config":
                return self._configure(json.loads(asked.body), int(asked.query["cas"]))
            if path == "/v1/txn":
                return self._transact(json.loads(asked.body))
            if path.startswith("/v1/session/"):
                return self._session(path.removeprefix("/v1/session/"), asked)
            return Answered(404, b"Invalid URL path")

    def invalidate(self, session: str) -> None:
        """As Consul does when the time to live ends: locks are released, and given out again after the delay."""
        ended = self.sessions.pop(session)
        for pair in self.pairs.values():
            if pair.get("Session") == session:
                del pair["Session"]
                pair["ModifyIndex"] = self._next()
                self._delayed[pair["Key"]] = time.monotonic() + float(ended["LockDelay"])

    def _read(self, path: str, asked: Asked) -> Answered:
        if path == "/v1/status/leader":
            return _json("127.0.0.1:8300")
        if path == "/v1/agent/self":
            return _json({"Config": {"Version": "1.20.6"}})
        if path.startswith(_INTENTIONS):
            entry = self.config.get(path.removeprefix(_INTENTIONS))
            return _json(entry) if entry else Answered(404, b"Config entry not found")
        index = {"X-Consul-Index": str(self.index)}
        if (found := self.catalog.read(path, asked.query)) is not None:
            rows, is_hidden = found
            return _json(rows, index | ({"X-Consul-Results-Filtered-By-ACLs": "true"} if is_hidden else {}))
        key = path.removeprefix("/v1/kv/")
        chosen = [k for k in sorted(self.pairs) if (k.startswith(key) if "recurse" in asked.query else k == key)]
        return _json([self.pairs[k] for k in chosen], index) if chosen else Answered(404, b"", index)

    def _configure(self, entry: dict[str, Any], cas: int) -> Answered:
        """All of an entry, when what stands is at that index."""
        standing = self.config.get(entry["Name"], {"ModifyIndex": 0})
        if standing["ModifyIndex"] != cas:
            return _json(False)
        self.config[entry["Name"]] = entry | {"ModifyIndex": self._next()}
        return _json(True)

    def _session(self, what: str, asked: Asked) -> Answered:
        verb, _, identity = what.partition("/")
        if verb == "create" and not self.may_write:
            return Answered(
                403, b"Permission denied: token with AccessorID 'x' lacks permission 'session:write' on \"test\""
            )
        if verb == "create":
            wanted = json.loads(asked.body)
            if wanted.get("behavior", wanted.get("Behavior", "release")) != "release":
                return Answered(500, b"Invalid Behavior setting 'neither'")
            identity, delay = str(uuid.uuid4()), str(wanted.get("lockdelay", "15s")).rstrip("s")
            self.sessions[identity] = {"ID": identity, "LockDelay": float(delay), "TTL": wanted["ttl"]}
            return _json({"ID": identity})
        if verb == "renew":
            found = self.sessions.get(identity)
            return _json([found]) if found else Answered(404, f"Session id '{identity}' not found".encode())
        if identity in self.sessions:
            self.invalidate(identity)
        return _json(True)

    def _transact(self, steps: list[dict[str, Any]]) -> Answered:
        before, results = {key: dict(pair) for key, pair in self.pairs.items()}, []
        rows = dict(self.catalog.rows)
        for number, (kind, step) in enumerate(next(iter(s.items())) for s in steps):
            try:
                if kind != "KV":
                    results.append(self.catalog.carry_out(kind, step))
                elif found := self._carry_out(step, step["Key"], self.pairs.get(step["Key"])):
                    results.append({"KV": {k: v for k, v in found.items() if k != "Value"} | {"Value": None}})
            except (_Refused, CatalogRefused) as reason:
                self.pairs, self.catalog.rows = before, rows
                return _json({"Results": None, "Errors": [{"OpIndex": number, "What": str(reason)}]}, status=409)
        return _json({"Results": results, "Errors": None})

    def _carry_out(self, step: dict[str, Any], key: str, pair: Pair | None) -> Pair | None:
        verb, session = step["Verb"], step.get("Session", "")
        if not self.may_write and verb not in ("check-index", "check-session"):
            raise _Refused(f"Permission denied: token with AccessorID 'x' lacks permission 'key:write' on \"{key}\"")
        index = pair["ModifyIndex"] if pair else 0
        holder = pair.get("Session", "") if pair else ""
        match verb:
            case "check-not-exists":
                _need(pair is None, f'key "{key}" exists')
            case "check-index":
                _need(pair is not None and index == step["Index"], f'failed index check for key "{key}"')
                return pair
            case "check-session":
                _need(pair is not None and holder == session, f'failed session check for key "{key}"')
                return pair
            case "cas":
                _need(index == step["Index"], f'failed to set key "{key}", index is stale')
                return self._set(step, holder)
            case "delete-cas":
                _need(pair is None or index == step["Index"], f'failed to delete key "{key}", index is stale')
                self.pairs.pop(key, None)
            case "lock":
                delayed = self._delayed.get(key, 0.0) > time.monotonic()
                _need(not delayed, f'failed to lock key "{key}" due to lock delay')
                _need(session in self.sessions, f'invalid session "{session}"')
                _need(holder in ("", session), f'failed to lock key "{key}", lock is already held')
                return self._set(step, session)
            case "unlock":
                _need(bool(holder) and holder == session, f'failed to unlock key "{key}", lock isn\'t held')
                return self._set(step, "")
            case _:
                raise AssertionError(f"the fake does not know {verb}")
        return None

    def _set(self, step: dict[str, Any], session: str) -> Pair:
        key, value = step["Key"], base64.b64decode(step["Value"])
        written = base64.b64encode(value).decode("ascii") if value else None
        pair = {"Key": key, "Value": written, "ModifyIndex": self._next(), "Flags": 0}
        self.pairs[key] = pair | ({"Session": session} if session else {})
        return self.pairs[key]

    def _next(self) -> int:
        self.index += 1
        return self.index


def _need(holds: bool, text: str) -> None:
    if not holds:
        raise _Refused(text)


def _json(value: object, headers: dict[str, str] | None = None, *, status: int = 200) -> Answered:
    return Answered(status, json.dumps(value).encode(), headers or {})
