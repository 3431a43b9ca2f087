"""Is the rollout done, lost, or still going? Judged from observations alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from orchctl.core.rollout import FailureKind, Instance, InstanceState, Problem, Progress
from orchctl.core.service import Restart, Service
from orchctl.core.units import counted, format_duration
from orchctl.engine.thresholds import CRASHES_IN_ONE_SLOT, CRASHES_WHEN_HELD_BACK, TRANSIENT_S, UNSCHEDULABLE_S

K = TypeVar("K")

_OF_ROOM = (FailureKind.UNSCHEDULABLE, FailureKind.PORT_TAKEN, FailureKind.REFUSED)
_EXITING = (FailureKind.CRASHED, FailureKind.OUT_OF_MEMORY, FailureKind.UNHEALTHY)


class State(StrEnum):
    GOING = "going"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Culprit:
    """A problem and the instance that has it; None = the rollout as a whole."""

    problem: Problem
    instance: Instance | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``culprits`` explain BAD; ``waiting_for`` says in words what is missing while GOING."""

    state: State
    culprits: tuple[Culprit, ...] = ()
    waiting_for: str = ""


class Judge:
    """Fed with one look after the other; remembers since when things have been as they are.

    ``now`` is the clock's reading in seconds. Only instances of the present definition count: an old
    instance's history is no failure of the new one.
    """

    def __init__(self, service: Service, *, replicas: int, is_fixed: bool = True, is_new: bool = True) -> None:
        """``is_new`` False: nothing was written, and that every instance ended once (its machine was started again) says nothing
        of the definition. ``is_fixed`` False, or bounds in the spec: something else may change the count while we wait, and what it says now
        is right."""
        self._service = service
        self._replicas = replicas
        self._is_fixed = is_fixed and service.scaling is None
        self._is_new = is_new
        self._ready_since: dict[str, float] = {}
        self._starting_since: dict[str, float] = {}
        self._trouble_since: dict[tuple[str, FailureKind], float] = {}
        self._room_came = False

    def look(self, progress: Progress, now: float) -> Verdict:
        """The verdict on this look."""
        current = [i for i in progress.instances if i.current]
        self._replicas = self._replicas if self._is_fixed else progress.replicas
        if any(i.state is InstanceState.STOPPING for i in progress.instances):
            self._room_came = True
            current = [_with_room_to_come(i) for i in current]
        self._remember(current, now)
        if culprits := self._lost(progress, current, now):
            return Verdict(State.BAD, culprits)
        missing = self._missing(progress, current, now)
        return Verdict(State.GOING, waiting_for=missing) if missing else Verdict(State.GOOD)

    def at_deadline(self, progress: Progress, now: float) -> Verdict:
        """The verdict when the rollout's deadline has passed: lost, for the reasons there are."""
        current = [i for i in progress.instances if i.current]
        reported = tuple(Culprit(i.problem, i) for i in current if i.problem)
        text = f"not done within {format_duration(self._service.rollout.deadline_ms)} (rollout.deadline)"
        missing = self._missing(progress, current, now)
        problem = Problem(kind=FailureKind.DEADLINE, message=f"{text}: {missing}" if missing else text)
        return Verdict(State.BAD, (*reported, Culprit(problem)))

    def _remember(self, current: Sequence[Instance], now: float) -> None:
        self._ready_since = _since(self._ready_since, (i.id for i in current if _serves(i)), now)
        starting = (i.id for i in current if i.state is InstanceState.STARTING)
        self._starting_since = _since(self._starting_since, starting, now)
        troubled = ((i.slot or i.id, i.problem.kind) for i in current if i.problem)
        self._trouble_since = _since(self._trouble_since, troubled, now)

    def _missing(self, progress: Progress, current: Sequence[Instance], now: float) -> str:
        """What is not true yet of a finished rollout; "" when everything is."""
        wanted = self._replicas
        soak = self._service.rollout.min_ready_ms / 1000
        there = [i for i in current if i.state is not InstanceState.EXITED]
        ready = [i for i in there if _serves(i)]
        old = [i for i in progress.instances if not i.current and i.state is not InstanceState.EXITED]
        if len(ready) < wanted:
            return f"{len(ready)} of {wanted} ready" + (f"; {progress.note}" if progress.note else "")
        if len(there) > wanted:
            return f"{counted(len(there) - wanted, 'surplus instance')} stopping"
        if old:
            return f"{counted(len(old), 'old instance')} stopping"
        if any(now - self._ready_since[i.id] < soak for i in ready):
            return f"{wanted} of {wanted} ready, watching for {format_duration(self._service.rollout.min_ready_ms)}"
        if not progress.settled:
            return progress.note or "the backend is still updating"
        return progress.stalled

    def _lost(self, progress: Progress, current: Sequence[Instance], now: float) -> tuple[Culprit, ...]:
        troubled = [Culprit(i.problem, i) for i in current if i.problem]
        if progress.verdict is not None:
            return tuple(troubled) or (Culprit(progress.verdict),)
        at_once = [c for c in troubled if self._is_final(c, now)]
        ended = [*at_once, *self._ended_for_good(current)]
        return tuple(ended) or tuple(self._crash_loop(troubled)) or tuple(self._too_slow(current, now))

    def _is_final(self, culprit: Culprit, now: float) -> bool:
        problem, instance = culprit.problem, culprit.instance
        if instance is None or problem.kind in _EXITING:
            return False
        lasting = now - self._trouble_since[instance.slot or instance.id, problem.kind]
        if problem.kind is FailureKind.UNSCHEDULABLE:
            return lasting >= UNSCHEDULABLE_S
        # A scheduler says what it found until it looks again, which it does some time after there is room.
        may_pass = problem.transient or (self._room_came and problem.kind in _OF_ROOM)
        return lasting >= TRANSIENT_S if may_pass else True

    def _ended_for_good(self, current: Sequence[Instance]) -> Iterator[Culprit]:
        """Processes that ``restart`` leaves ended: their next exit can never come."""
        policy = self._service.restart
        for instance in current if policy is not Restart.ALWAYS else ():
            problem = instance.problem or Problem(
                kind=FailureKind.CRASHED, message="ended with exit code 0", exit_code=0
            )
            by_itself = instance.state is InstanceState.EXITED and instance.exits and problem.kind in _EXITING
            if by_itself and (policy is Restart.NEVER or problem.exit_code == 0):
                text = f"{problem.message}; restart: {policy.value} does not start it again"
                yield Culprit(replace(problem, message=text), instance)

    def _crash_loop(self, troubled: Sequence[Culprit]) -> list[Culprit]:
        """The third exit in one slot (the second, when the backend holds the next start back), or one exit in every slot
        of several of a new definition."""
        exited = [c for c in troubled if c.problem.kind in _EXITING and c.instance and c.instance.exits]
        often = [c for c in exited if c.instance and c.instance.exits >= _bearable(c.instance)]
        slots = {c.instance.slot or c.instance.id for c in exited if c.instance}
        everywhere = self._is_new and self._replicas > 1 and len(slots) >= self._replicas
        return exited if everywhere else often

    def _too_slow(self, current: Sequence[Instance], now: float) -> list[Culprit]:
        """A readiness check that never was good by ``health.start.deadline``."""
        if self._service.health.ready is None and self._service.health.live is None:
            return []
        allowed = self._service.health.start_deadline_ms / 1000
        text = f"not ready within {format_duration(self._service.health.start_deadline_ms)} (health.start.deadline)"
        late = [i for i in current if now - self._starting_since.get(i.id, now) >= allowed]
        return [Culprit(_late(i.problem, text), i) for i in late]


def is_ready(service: Service, progress: Progress, *, replicas: int) -> bool:
    """All that is wanted is ready and alone at this moment, whatever ``rollout.min_ready`` says: for a definition that was
    not changed just now."""
    at_once = replace(service, rollout=replace(service.rollout, min_ready_ms=0))
    return Judge(at_once, replicas=replicas).look(progress, 0.0).state is State.GOOD


def _late(found: Problem | None, text: str) -> Problem:
    """With what the backend says of the check, where it says something."""
    if found is None:
        return Problem(kind=FailureKind.UNHEALTHY, message=text)
    return replace(found, message=f"{text}: {found.message}")


def _with_room_to_come(instance: Instance) -> Instance:
    """An instance of ours that stops keeps its port, its place, its memory and its share of a quota until it is gone,
    however long it drains. What has no room beside it is waited for, and judged from then on."""
    has_no_room = instance.problem is not None and instance.problem.kind in _OF_ROOM
    return replace(instance, problem=None) if has_no_room else instance


def _bearable(instance: Instance) -> int:
    return CRASHES_WHEN_HELD_BACK if instance.held_back else CRASHES_IN_ONE_SLOT


def _serves(instance: Instance) -> bool:
    return instance.ready and instance.state is InstanceState.RUNNING


def _since(before: dict[K, float], keys: Iterable[K], now: float) -> dict[K, float]:
    return {key: before.get(key, now) for key in keys}
