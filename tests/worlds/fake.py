"""The cluster in memory, in virtual time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from orchctl.core.context import Context
from orchctl.core.service import Amount, Health, Port, Probe, ProbeKind, Rollout, SecretRef, Service, Stop
from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import Definition, FakeCluster
from orchctl.testing.virtual_time import TurnTaking, VirtualClock
from orchctl.testing.world import Behaviour, Truth, World

T = TypeVar("T")


class FakeWorld(World):
    name = "fake"

    def __init__(self, state_dir: Path, *, seed: int = 1) -> None:
        self.clock = self._own_clock = VirtualClock()
        self._turns = TurnTaking(seed)
        self._seeds = itertools.count(seed)
        self.cluster = FakeCluster(now=lambda: self.clock.now(), on_request=lambda: self._turns.turn())
        self.backend = FakeBackend(self.cluster)
        self.context = Context(name="fake", backend="fake", state_dir=state_dir, namespace="test")

    def service(self, behaviour: Behaviour = Behaviour.GOOD, *, name: str = "web", greeting: str = "one") -> Service:
        return Service(
            name=name,
            namespace="test",
            image="web:1",
            replicas=2,
            env={"GREETING": greeting},
            ports=(Port(name="http", port=8080),),
            health=Health(
                ready=Probe(kind=ProbeKind.HTTP, path="/", port="http", interval_ms=100), start_deadline_ms=5_000
            ),
            rollout=Rollout(
                max_surge=Amount(1),
                max_unavailable=Amount(0),
                min_ready_ms=2_000 if behaviour is Behaviour.CRASH_LATER else 300,
                deadline_ms=600_000,
            ),
            stop=Stop(grace_ms=1_000),
            backends={"fake": {"behaviour": behaviour.value}},
        )

    def truth(self, name: str) -> Truth:
        self.cluster.run()
        key = ("test", name)
        running = {
            r.id: {k: v for k, v in r.service.env.items() if not isinstance(v, SecretRef)}
            for r in self.cluster.replicas.get(key, [])
            if r.stopping_since is None and not r.exited and (r.problem is None or r.exits)
        }
        left = [k for k in self.cluster.entries if k.startswith(f"test/{name}/")]
        if key in self.cluster.definitions:
            left.append(f"definition {name}")
        return Truth(exists=key in self.cluster.definitions, running=running, leftovers=tuple(left))

    def writes(self) -> int:
        return self.cluster.writes

    def requests(self) -> int:
        return self.cluster.requests

    def foreign(self, name: str) -> None:
        service = self.service(name=name)
        self.cluster.definitions["test", name] = Definition(
            service=service, template="", version=self.cluster.next_version(), owned=False, replicas=0
        )

    def tamper(self, name: str) -> None:
        definition = self.cluster.definitions["test", name]
        env = {**definition.service.env, "GREETING": "tampered"}
        definition.service = replace(definition.service, env=env)
        definition.version, definition.template = self.cluster.next_version(), "tampered"

    def kill_instance(self, name: str) -> None:
        self.cluster.replicas["test", name].pop()

    def at_once(self, actions: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        self._turns = TurnTaking(next(self._seeds))
        self._turns.time = self.clock.now()
        self.clock = self._turns.clock
        try:
            return self._turns.run(actions)
        finally:
            self._own_clock.time = self._turns.time
            self.clock = self._own_clock

    def clean(self) -> None:
        self.cluster.definitions.clear()
        self.cluster.replicas.clear()
        self.cluster.entries.clear()
        self.cluster.set_fault(None)
