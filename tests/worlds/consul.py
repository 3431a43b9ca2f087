"""Worlds whose records and leases are in a Consul, looked at through its own API and never through the client."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from orchctl.core.context import Catalog, Context
from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import FakeCluster
from orchctl.testing.world import Truth, World
from tests.rounds import RACES
from tests.servers.consul.agent import Consul
from tests.servers.consul.api import Api
from tests.servers.consul.front import Front, forwarding
from tests.worlds.fake import FakeWorld
from tests.worlds.local import LocalWorld

T = TypeVar("T")
_SPEED = 8.0
"""A lease that stands still for 75 s is dead: that may not be a stall of the machine's."""


def in_consul(context: Context, url: str, **settings: Any) -> Context:
    """The same context with its records in the Consul at ``url``, below a name that nobody else has."""
    catalog = Catalog(name="main", kind="consul", settings={"consul": url, **settings})
    return replace(context, catalog=catalog, store="consul", cluster=f"test-{uuid.uuid4().hex[:12]}")


def reached_like(consul: Consul, token_file: Path, rules: str = "") -> dict[str, Any]:
    """Settings of a catalog for a secured Consul; with ``rules`` a token that may do that and nothing else."""
    token_file.write_text((consul.token_for(rules) if rules else consul.token) + "\n")
    return {"token_file": str(token_file), "ca": str(consul.ca)}


class Records:
    """What of a world is in Consul: its keys and sessions, and the requests that it took."""

    def __init__(self, api: Api, cluster: str, front: Front) -> None:
        self.api, self.root, self.front = api, f"orchctl/{cluster}", front

    def of(self, namespace: str, name: str) -> list[str]:
        return [f"key {key}" for key in self.api.keys(f"{self.root}/{namespace}/{name}/")]

    def sessions(self) -> list[dict[str, Any]]:
        return [s for s in self.api.sessions() if s["Name"].startswith(f"{self.root}/")]

    def clean(self) -> None:
        """Keys first: a session that ends while it holds a lock starts the lock's delay."""
        self.api.delete(f"/v1/kv/{self.root}/", recurse="1")
        for session in self.sessions():
            self.api.put(f"/v1/session/destroy/{session['ID']}")


class FakeWorldInConsul(FakeWorld):
    """The cluster in memory and in virtual time; records in a real Consul, whose time is real."""

    name = "fake, records in consul"

    def __init__(self, consul: Consul, state_dir: Path, *, seed: int = 1) -> None:
        super().__init__(state_dir, seed=seed)
        self.front = Front(forwarding(consul.api))
        self.context = in_consul(self.context, self.front.url)
        self.records = Records(consul.api, self.context.cluster, self.front)

    def truth(self, name: str) -> Truth:
        found = super().truth(name)
        return replace(found, leftovers=(*found.leftovers, *self.records.of("test", name)))

    def writes(self) -> int:
        return super().writes() + self.front.writes

    def requests(self) -> int:
        return super().requests() + len(self.front.requests)

    def clean(self) -> None:
        super().clean()
        self.records.clean()

    def close(self) -> None:
        self.clean()
        self.front.close()


class LocalWorldInConsul(LocalWorld):
    """Real processes; records in a real Consul."""

    name = "local, records in consul"

    def __init__(self, consul: Consul, directory: Path) -> None:
        super().__init__(directory)
        self.front = Front(forwarding(consul.api))
        self.context = in_consul(self.context, self.front.url)
        self.records = Records(consul.api, self.context.cluster, self.front)

    def truth(self, name: str) -> Truth:
        found = super().truth(name)
        return replace(found, leftovers=(*found.leftovers, *self.records.of("test", name)))

    def writes(self) -> int:
        return super().writes() + self.front.writes

    def clean(self) -> None:
        super().clean()
        self.records.clean()

    def close(self) -> None:
        self.clean()
        self.front.close()


class _FastClock:
    """Real time, eight times as fast: what takes a second on the fake cluster takes a test 125 ms."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def now(self) -> float:
        return (time.monotonic() - self._start) * _SPEED

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(max(0.0, seconds) / _SPEED)

    def wall(self) -> str:
        return "2030-01-01T00:00:00Z"


class _LockedCluster(FakeCluster):
    """For deployers that really run side by side."""

    def request(self, name: str, carry_out: Callable[[], object] | None = None) -> None:
        with _ONE_AT_A_TIME:
            super().request(name, carry_out)


_ONE_AT_A_TIME = threading.RLock()


class SideBySide(FakeWorldInConsul):
    """Deployers in threads of their own, in (fast) real time: only Consul keeps them apart."""

    name = "fake, side by side, records in consul"
    race_rounds = RACES

    def __init__(self, consul: Consul, state_dir: Path) -> None:
        super().__init__(consul, state_dir)
        self.clock = _FastClock()
        self.cluster = _LockedCluster(now=self.clock.now)
        self.backend = FakeBackend(self.cluster)

    def truth(self, name: str) -> Truth:
        with _ONE_AT_A_TIME:
            return super().truth(name)

    def at_once(self, actions: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        return World.at_once(self, actions)
