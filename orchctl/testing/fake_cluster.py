"""An orchestrator in memory: definitions, a controller that rolls like a ReplicaSet pair, a key-value store.

Time comes from outside, so that it can be virtual. Every request passes one gate, where it is counted and
where a fault may strike.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orchctl.core.document import template_hash
from orchctl.core.rollout import FailureKind, Problem
from orchctl.core.service import Service, Strategy
from orchctl.core.store import Entry
from orchctl.errors import AuthRefused, OutcomeUnknown, StalePlan, Unreachable

_TICK_S = 0.1
_START_S = 0.3
_STOP_S = 0.2
_BACKOFF_S = 1.0


class Killed(BaseException):
    """The deployer's process is dead: no ``except Exception`` sees it, and every further request fails alike."""


class FaultKind(StrEnum):
    UNREACHABLE = "unreachable"
    """The request never arrived."""
    ANSWER_LOST = "answer_lost"
    """The request was carried out, its answer lost; a read is merely Unreachable."""
    AUTH = "auth"
    LOST_BEFORE = "lost_before"
    """A write was lost on its way: not carried out, and no answer; a read is merely Unreachable."""
    BUMPED = "bumped"
    """Somebody else moved the version of every definition, and changed nothing: a write that names a version is refused."""
    BUMPED_AND_LOST = "bumped_and_lost"
    """Both: the version has moved, and not by our write."""
    STALE = "stale"
    """Somebody moved the object's version just before a write."""
    KILL_BEFORE = "kill_before"
    KILL_AFTER = "kill_after"


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes the request with number ``at`` (from 0, counted since it was set), and ``times`` ones from there. ``only`` one
    method (``poll``, ``update``): the others are neither struck nor counted."""

    kind: FaultKind
    at: int
    times: int = 1
    only: str = ""


@dataclass(slots=True)
class Replica:
    id: str
    slot: int
    template: str
    epoch: int
    service: Service
    started: float
    ready: bool = False
    stopping_since: float | None = None
    exited: bool = False
    exits: int = 0
    problem: Problem | None = None
    restart_at: float = 0.0

    @property
    def behaviour(self) -> str:
        """What the only options block says; the cluster keeps no other backend's."""
        return next((str(o["behaviour"]) for o in self.service.backends.values() if "behaviour" in o), "good")


@dataclass(slots=True)
class Definition:
    service: Service
    template: str
    version: int
    revision: int = 0
    replicas: int = 1
    epoch: int = 0
    owned: bool = True
    paused: bool = False


@dataclass
class FakeCluster:
    """``now`` gives seconds; ``on_request`` is called at every request (a scheduler's switching point).

    ``backend`` is the name under which specs carry options for it. ``surplus``: so many instances too many are left
    running by the controller, until somebody reminds it of the definition; a ``deaf`` one never listens.
    """

    now: Callable[[], float]
    backend: str = "fake"
    on_request: Callable[[], None] = lambda: None
    definitions: dict[tuple[str, str], Definition] = field(default_factory=dict)
    replicas: dict[tuple[str, str], list[Replica]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    requests: int = 0
    writes: int = 0
    dead: bool = False
    surplus: int = 0
    deaf: bool = False
    fault: Fault | None = None
    log: list[str] = field(default_factory=list)
    _struck: int = 0
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _at: float | None = None

    def set_fault(self, fault: Fault | None) -> None:
        """From the next request on; also revives a killed deployer."""
        self.fault, self._struck, self.dead = fault, 0, False

    def request(self, name: str, carry_out: Callable[[], object] | None = None) -> None:
        """One request; ``carry_out`` is its effect, None for a read. Raises what the fault says."""
        self.on_request()
        if self.dead:
            raise Killed
        self.run()
        kind = self._strike(name)
        if kind in (FaultKind.BUMPED, FaultKind.BUMPED_AND_LOST):
            self._bump()
        if kind is FaultKind.KILL_BEFORE:
            self.dead = True
            raise Killed
        if kind is FaultKind.UNREACHABLE:
            raise Unreachable("the fake cluster does not answer")
        if kind is FaultKind.AUTH:
            raise AuthRefused("the fake cluster does not know you")
        if kind in (FaultKind.LOST_BEFORE, FaultKind.BUMPED_AND_LOST):
            raise OutcomeUnknown("no answer") if carry_out else Unreachable("no answer")
        if kind is FaultKind.STALE and carry_out is not None:
            raise StalePlan("the fake cluster says that the version moved")
        self.requests += 1
        self.log.append(name)
        if carry_out is not None:
            self.writes += 1
            carry_out()
        if kind is FaultKind.KILL_AFTER:
            self.dead = True
            raise Killed
        if kind is FaultKind.ANSWER_LOST:
            raise OutcomeUnknown("no answer") if carry_out else Unreachable("no answer")

    def next_version(self) -> int:
        return next(self._versions)

    def define(self, key: tuple[str, str], service: Service, *, revision: int) -> None:
        """Create or replace a definition."""
        old = self.definitions.get(key)
        self.definitions[key] = Definition(
            service=service,
            template=template_hash(service, self.backend),
            version=self.next_version(),
            revision=revision,
            replicas=service.replicas if service.replicas is not None else 1,
            epoch=old.epoch if old else 0,
        )
        self.replicas.setdefault(key, [])

    def run(self) -> None:
        """Let the controller work up to now."""
        now = self.now()
        at = now if self._at is None else self._at
        while at < now:
            at = min(now, at + _TICK_S)
            for key in list(self.replicas):
                self._tick(key, at)
        self._at = now

    def _bump(self) -> None:
        for definition in self.definitions.values():
            definition.version = self.next_version()

    def _strike(self, name: str) -> FaultKind | None:
        fault, position = self.fault, self._struck
        if fault is not None and fault.only not in ("", name.partition(" ")[0]):
            return None
        self._struck += 1
        return fault.kind if fault and fault.at <= position < fault.at + fault.times else None

    def _tick(self, key: tuple[str, str], at: float) -> None:
        definition, replicas = self.definitions.get(key), self.replicas[key]
        for replica in replicas:
            self._live(replica, at)
        replicas[:] = [r for r in replicas if r.stopping_since is None or at - r.stopping_since < _STOP_S]
        if definition is None:
            for replica in replicas:
                _stop(replica, at)
            if not replicas:
                del self.replicas[key]
        elif not definition.paused:
            self._converge(definition, replicas, at)

    def _live(self, replica: Replica, at: float) -> None:
        """One replica's own life: start, become ready, crash, be restarted."""
        if replica.stopping_since is not None:
            return
        if replica.exited:
            if at >= replica.restart_at and replica.behaviour in ("crash", "crash_later"):
                replica.id, replica.started = f"i{next(self._ids)}", at
                replica.exited, replica.problem = False, None
            return
        age, behaviour = at - replica.started, replica.behaviour
        if behaviour == "missing_image":
            replica.problem = Problem(kind=FailureKind.IMAGE, message="no such image")
        elif behaviour == "unschedulable":
            replica.problem = Problem(kind=FailureKind.UNSCHEDULABLE, message="no node has that label")
        elif behaviour == "crash" or (behaviour == "crash_later" and age >= 1.0):
            replica.exited, replica.ready, replica.exits = True, False, replica.exits + 1
            replica.restart_at = at + _BACKOFF_S
            replica.problem = Problem(kind=FailureKind.CRASHED, message="exited with code 7", exit_code=7)
        elif behaviour != "never_ready":
            replica.ready = age >= _START_S

    def _converge(self, definition: Definition, replicas: list[Replica], at: float) -> None:
        rollout, wanted = definition.service.rollout, definition.replicas + self.surplus
        surge = rollout.max_surge.of(wanted, round_up=True)
        unavailable = rollout.max_unavailable.of(wanted, round_up=False)
        if rollout.strategy is Strategy.RECREATE:
            surge, unavailable = 0, wanted
        there = [r for r in replicas if r.stopping_since is None]
        new = [r for r in there if (r.template, r.epoch) == (definition.template, definition.epoch)]
        old = [r for r in there if r not in new]
        for replica in sorted(new, key=lambda r: (r.ready, -r.started))[: max(0, len(new) - wanted)]:
            _stop(replica, at)
            new.remove(replica)
        room = wanted + surge - len(new) - len(old)
        if rollout.strategy is Strategy.RECREATE and len(old) + sum(r.stopping_since is not None for r in replicas):
            room = 0
        for _ in range(min(room, wanted - len(new))):
            replica = self._start(definition, [*new, *old], at)
            replicas.append(replica)
            new.append(replica)
        soak = rollout.min_ready_ms / 1000
        available = sum(r.ready and at - r.started - _START_S >= soak for r in new) + sum(r.ready for r in old)
        for replica in sorted(old, key=lambda r: r.ready):
            if not replica.ready or available > wanted - unavailable:
                available -= replica.ready
                _stop(replica, at)

    def _start(self, definition: Definition, there: list[Replica], at: float) -> Replica:
        taken = {r.slot for r in there if (r.template, r.epoch) == (definition.template, definition.epoch)}
        slot = next(s for s in itertools.count(1) if s not in taken)
        service = replace(definition.service, replicas=definition.replicas)
        return Replica(f"i{next(self._ids)}", slot, definition.template, definition.epoch, service, at)


def _stop(replica: Replica, at: float) -> None:
    if replica.stopping_since is None:
        replica.stopping_since, replica.ready = at, False
