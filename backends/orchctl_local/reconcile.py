"""Which replicas to start and which to stop: the rules of a rolling update, as one pure function.

The rules are those of a Kubernetes Deployment: never more than ``replicas + surge`` (here counting
those on their way out, too), never fewer available than ``replicas - unavailable``, and replicas
that are not ready are the first to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchctl.core.service import Rollout, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A replica as the decision sees it. ``available``: ready for ``min_ready``. ``number`` grows with time."""

    number: int
    slot: int
    generation: str
    current: bool
    leaving: bool = False
    ready: bool = False
    available: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The wanted count and the bounds of the way there."""

    generation: str
    replicas: int
    surge: int
    unavailable: int
    recreate: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``start``: (generation, slot) of new replicas; ``stop``: numbers of replicas."""

    start: tuple[tuple[str, int], ...] = ()
    stop: tuple[int, ...] = ()


def goal_of(rollout: Rollout, *, replicas: int, generation: str, paused: bool) -> Goal:
    """Percentages become counts; both 0 could never move, so one may then be unavailable (as Kubernetes does)."""
    recreate = rollout.strategy is Strategy.RECREATE
    surge = rollout.max_surge.of(replicas, round_up=True)
    unavailable = rollout.max_unavailable.of(replicas, round_up=False)
    return Goal(
        generation=generation,
        replicas=replicas,
        surge=0 if recreate else surge,
        unavailable=unavailable if surge or unavailable else 1,
        recreate=recreate,
        paused=paused,
    )


def decide(goal: Goal, members: Sequence[Member]) -> Decision:
    """The next step towards ``goal``; empty when there is nothing to do or something to wait for."""
    new = [m for m in members if m.current and not m.leaving]
    old = [m for m in members if not m.current and not m.leaving]
    if goal.paused and old:
        return _hold(goal, new, old, members)
    surplus = _last(new, len(new) - goal.replicas)
    if goal.recreate and any(not m.current for m in members):
        return Decision(stop=_numbers([*old, *surplus]))
    # A replica on its way out counts until its process is gone: it uses the machine, and may hold a fixed port.
    room = goal.replicas + goal.surge - len(members)
    missing = max(0, min(goal.replicas - len(new), room))
    return Decision(
        start=_places(goal.generation, missing, members),
        stop=_numbers([*surplus, *_retire(goal, new, old)]),
    )


def _retire(goal: Goal, new: Sequence[Member], old: Sequence[Member]) -> list[Member]:
    """The old replicas that may go now: those that serve nobody, then as many as availability allows."""
    useless = [m for m in old if not m.ready]
    serving = _last([m for m in old if m.ready], len(old))
    available = sum(m.available for m in new) + len(serving)
    spare = available - (goal.replicas - goal.unavailable)
    return useless + serving[: max(0, spare)]


def _hold(goal: Goal, new: Sequence[Member], old: Sequence[Member], members: Sequence[Member]) -> Decision:
    """A paused rollout keeps what runs; only the count is still followed, at the cost of the new generation."""
    total = len(new) + len(old)
    if total >= goal.replicas:
        first = _last(new, len(new))
        return Decision(stop=_numbers([*first, *_last(old, len(old))][: total - goal.replicas]))
    generation = max(old, key=lambda m: m.number).generation
    return Decision(start=_places(generation, goal.replicas - total, members))


def _last(members: Iterable[Member], count: int) -> list[Member]:
    """Up to ``count`` members in the order to stop them: not ready first, then the youngest."""
    return sorted(members, key=lambda m: (m.ready, -m.number))[: max(0, count)]


def _numbers(members: Iterable[Member]) -> tuple[int, ...]:
    return tuple(m.number for m in members)


def _places(generation: str, count: int, members: Sequence[Member]) -> tuple[tuple[str, int], ...]:
    """The lowest slots that no member of this generation has, those on their way out included."""
    taken = {m.slot for m in members if m.generation == generation}
    free = (slot for slot in range(len(taken) + count) if slot not in taken)
    return tuple((generation, slot) for _, slot in zip(range(count), free, strict=False))
