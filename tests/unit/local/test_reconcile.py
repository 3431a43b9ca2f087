"""The rules of a rolling update, and that every sequence of them ends within its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from orchctl.core.service import Amount, Rollout, Strategy
from orchctl_local.reconcile import Decision, Goal, Member, decide, goal_of
from tests.rounds import EXAMPLES


def goal(
    replicas: int = 3, *, surge: int = 1, unavailable: int = 0, recreate: bool = False, paused: bool = False
) -> Goal:
    return Goal(
        generation="new",
        replicas=replicas,
        surge=surge,
        unavailable=unavailable,
        recreate=recreate,
        paused=paused,
    )


def member(number: int, generation: str = "new", *, ready: bool = True, leaving: bool = False) -> Member:
    return Member(
        number=number,
        slot=number,
        generation=generation,
        current=generation == "new",
        leaving=leaving,
        ready=ready and not leaving,
        available=ready and not leaving,
    )


def test_a_first_deploy_starts_every_replica_at_once() -> None:
    assert decide(goal(), []) == Decision(start=(("new", 0), ("new", 1), ("new", 2)))


def test_an_update_begins_with_the_surge_and_stops_nothing() -> None:
    old = [member(n, "old") for n in (1, 2, 3)]
    assert decide(goal(), old) == Decision(start=(("new", 0),))


def test_an_old_one_goes_when_a_new_one_is_available() -> None:
    members = [*(member(n, "old") for n in (1, 2, 3)), member(4)]
    assert decide(goal(), members) == Decision(stop=(3,))


def test_a_new_one_that_is_ready_but_not_for_min_ready_replaces_nobody() -> None:
    young = replace(member(4), available=False)
    assert decide(goal(), [*(member(n, "old") for n in (1, 2, 3)), young]) == Decision()


def test_without_surge_an_old_one_goes_first_and_its_place_is_free_when_it_is_gone() -> None:
    careful = goal(surge=0, unavailable=1)
    old = [member(n, "old") for n in (1, 2, 3)]
    assert decide(careful, old) == Decision(stop=(3,))
    assert decide(careful, [*old[:2], member(3, "old", leaving=True)]) == Decision()
    assert decide(careful, old[:2]) == Decision(start=(("new", 0),))


def test_old_ones_that_are_not_ready_go_at_once() -> None:
    members = [member(1, "old"), member(2, "old", ready=False), member(3, "old", ready=False)]
    assert set(decide(goal(), members).stop) == {2, 3}


def test_scaling_down_stops_those_that_are_not_ready_and_then_the_youngest() -> None:
    members = [member(1, ready=False), member(2), member(3), member(4)]
    assert decide(goal(replicas=2), members).stop == (1, 4)


def test_recreate_starts_nothing_before_every_old_one_is_gone() -> None:
    recreating = goal(replicas=2, recreate=True, surge=0)
    assert decide(recreating, [member(1, "old"), member(2, "old")]) == Decision(stop=(1, 2))
    assert decide(recreating, [member(1, "old", leaving=True)]) == Decision()
    assert len(decide(recreating, []).start) == 2


def test_a_paused_rollout_starts_and_stops_nothing() -> None:
    members = [member(1, "old"), member(2, "old"), member(3, ready=False)]
    assert decide(goal(replicas=2, paused=True), members) == Decision(stop=(3,))
    assert decide(goal(replicas=3, paused=True), members) == Decision()


def test_a_paused_rollout_replaces_a_lost_replica_by_the_old_generation() -> None:
    members = [member(1, "old"), member(2)]
    assert decide(goal(replicas=3, paused=True), members) == Decision(start=(("old", 0),))


def test_going_back_finds_the_old_replicas_right_and_stops_the_others() -> None:
    members = [member(1), member(2), member(3), member(4, "bad", ready=False)]
    assert decide(goal(), members) == Decision(stop=(4,))


def test_percentages_become_counts_and_both_zero_can_still_move() -> None:
    rollout = Rollout(max_surge=Amount(0, percent=True), max_unavailable=Amount(10, percent=True))
    assert goal_of(rollout, replicas=3, generation="g", paused=False).unavailable == 1
    assert goal_of(Rollout(max_surge=Amount(25, percent=True)), replicas=5, generation="g", paused=False).surge == 2
    assert goal_of(Rollout(strategy=Strategy.RECREATE), replicas=5, generation="g", paused=False).surge == 0


@dataclass
class World:
    """Replicas that become ready, and processes that end, whenever the test's choices say so."""

    members: dict[int, Member] = field(default_factory=dict)
    next_number: int = 1

    def carry_out(self, decision: Decision) -> None:
        for generation, slot in decision.start:
            self.members[self.next_number] = Member(
                number=self.next_number, slot=slot, generation=generation, current=True
            )
            self.next_number += 1
        for number in decision.stop:
            self.members[number] = replace(self.members[number], leaving=True, ready=False, available=False)

    def move(self, choose: st.DataObject) -> None:
        """Some of what is under way comes to its end, at least one if there is any."""
        waiting = [m.number for m in self.members.values() if m.leaving or not m.available]
        if not waiting:
            return
        for number in choose.draw(st.lists(st.sampled_from(waiting), min_size=1, unique=True)):
            if self.members[number].leaving:
                del self.members[number]
            else:
                self.members[number] = replace(self.members[number], ready=True, available=True)


@settings(max_examples=200 * EXAMPLES)
@given(
    before=st.integers(0, 6),
    replicas=st.integers(0, 6),
    surge=st.integers(0, 3),
    unavailable=st.integers(0, 3),
    choose=st.data(),
)
def test_every_rollout_ends_and_keeps_its_bounds(
    before: int, replicas: int, surge: int, unavailable: int, choose: st.DataObject
) -> None:
    rollout = Rollout(max_surge=Amount(surge), max_unavailable=Amount(unavailable))
    wanted = goal_of(rollout, replicas=replicas, generation="new", paused=False)
    world = World({n: member(n, "old") for n in range(1, before + 1)}, before + 1)
    least = min(before, replicas - wanted.unavailable)
    for _ in range(200):
        decision = decide(wanted, list(world.members.values()))
        world.carry_out(decision)
        assert sum(m.available for m in world.members.values()) >= least
        assert len(world.members) <= max(before, replicas + wanted.surge)
        slots = [(m.generation, m.slot) for m in world.members.values()]
        assert len(slots) == len(set(slots))
        if not decision.start and not decision.stop and all(m.available for m in world.members.values()):
            break
        world.move(choose)
    assert [m.generation for m in world.members.values()] == ["new"] * replicas
