"""The thresholds of a verdict."""

from dataclasses import replace

import pytest

from orchctl.core.rollout import FailureKind, Instance, InstanceState, Problem, Progress
from orchctl.core.service import Health, Probe, ProbeKind, Restart, Rollout, Scaling, Service
from orchctl.engine.thresholds import UNSCHEDULABLE_S
from orchctl.engine.verdict import Judge, State

SERVICE = Service(
    name="web",
    namespace="shop",
    health=Health(ready=Probe(kind=ProbeKind.HTTP, path="/", port="http"), start_deadline_ms=10_000),
    rollout=Rollout(min_ready_ms=2_000, deadline_ms=60_000),
)
READY = Instance(id="a", slot="1", state=InstanceState.RUNNING, ready=True)


def look(*instances: Instance, **fields: object) -> Progress:
    return Progress(template_hash="t", replicas=len(instances), instances=instances, **fields)  # type: ignore[arg-type]


def troubled(kind: FailureKind, *, slot: str = "1", exits: int = 0, transient: bool = False) -> Instance:
    problem = Problem(kind=kind, message="text", transient=transient)
    return Instance(id=f"i{slot}", slot=slot, state=InstanceState.EXITED, exits=exits, problem=problem)


def test_ready_is_good_only_after_min_ready() -> None:
    judge = Judge(SERVICE, replicas=1)
    assert judge.look(look(READY), 100.0).state is State.GOING
    assert judge.look(look(READY), 101.9).state is State.GOING
    assert judge.look(look(READY), 102.0).state is State.GOOD


def test_a_new_process_starts_the_soak_again() -> None:
    judge = Judge(SERVICE, replicas=1)
    judge.look(look(READY), 100.0)
    again = replace(READY, id="b")
    assert judge.look(look(again), 102.0).state is State.GOING
    assert judge.look(look(again), 104.0).state is State.GOOD


@pytest.mark.parametrize(
    "extra",
    [
        Instance(id="old", current=False, state=InstanceState.RUNNING, ready=True),
        Instance(id="old", current=False, state=InstanceState.STOPPING),
        Instance(id="more", slot="2", state=InstanceState.STARTING),
    ],
)
def test_an_old_or_a_surplus_instance_is_waited_for(extra: Instance) -> None:
    judge = Judge(SERVICE, replicas=1)
    judge.look(look(READY, extra), 100.0)
    assert judge.look(look(READY, extra), 110.0).state is not State.GOOD


def test_an_old_instances_crash_is_not_a_failure_of_the_new() -> None:
    judge = Judge(SERVICE, replicas=1)
    old = replace(troubled(FailureKind.CRASHED, slot="2", exits=9), current=False)
    judge.look(look(READY, old), 100.0)
    assert judge.look(look(READY, old), 103.0).state is State.GOOD


@pytest.mark.parametrize(("exits", "state"), [(1, State.GOING), (2, State.GOING), (3, State.BAD)])
def test_the_third_exit_in_one_slot_is_a_crash_loop(exits: int, state: State) -> None:
    assert Judge(SERVICE, replicas=1).look(look(troubled(FailureKind.CRASHED, exits=exits)), 1.0).state is state


@pytest.mark.parametrize(
    ("restart", "code", "state"),
    [
        (Restart.NEVER, 3, State.BAD),
        (Restart.NEVER, 0, State.BAD),
        (Restart.ON_FAILURE, 0, State.BAD),
        (Restart.ON_FAILURE, 3, State.GOING),
        (Restart.ALWAYS, 0, State.GOING),
    ],
)
@pytest.mark.parametrize("is_told", [True, False])
def test_the_end_of_what_is_not_started_again_is_a_verdict(
    restart: Restart, code: int, state: State, is_told: bool
) -> None:
    problem = Problem(kind=FailureKind.CRASHED, message="ended", exit_code=code) if code or is_told else None
    ended = Instance(id="a", slot="1", state=InstanceState.EXITED, exits=1, problem=problem)
    verdict = Judge(replace(SERVICE, restart=restart), replicas=1).look(look(ended), 1.0)
    assert verdict.state is state
    if state is State.BAD:
        assert f"restart: {restart.value} does not start it again" in verdict.culprits[0].problem.message


def test_one_exit_in_every_slot_is_a_crash_loop() -> None:
    both = [troubled(FailureKind.CRASHED, slot=s, exits=1) for s in ("1", "2")]
    judge = Judge(SERVICE, replicas=2)
    assert judge.look(look(both[0]), 1.0).state is State.GOING
    verdict = judge.look(look(*both), 1.1)
    assert verdict.state is State.BAD
    assert len(verdict.culprits) == 2


def test_one_exit_in_every_slot_of_what_stood_before_is_waited_for() -> None:
    """A machine was started again, say; what goes on ending is a crash loop as ever."""
    once = [troubled(FailureKind.CRASHED, slot=s, exits=1) for s in ("1", "2")]
    often = [troubled(FailureKind.CRASHED, slot="1", exits=3), once[1]]
    judge = Judge(SERVICE, replicas=2, is_new=False)
    assert judge.look(look(*once), 1.0).state is State.GOING
    assert judge.look(look(*often), 1.1).state is State.BAD


@pytest.mark.parametrize("kind", [FailureKind.IMAGE, FailureKind.CONFIG, FailureKind.REFUSED, FailureKind.PORT_TAKEN])
def test_what_cannot_pass_by_itself_is_a_verdict_at_once(kind: FailureKind) -> None:
    assert Judge(SERVICE, replicas=1).look(look(troubled(kind)), 1.0).state is State.BAD


@pytest.mark.parametrize(
    ("instance", "patience"),
    [(troubled(FailureKind.IMAGE, transient=True), 20.0), (troubled(FailureKind.UNSCHEDULABLE), 30.0)],
)
def test_what_may_pass_gets_its_time(instance: Instance, patience: float) -> None:
    judge = Judge(SERVICE, replicas=1)
    assert judge.look(look(instance), 100.0).state is State.GOING
    assert judge.look(look(instance), 100.0 + patience - 0.1).state is State.GOING
    assert judge.look(look(instance), 100.0 + patience).state is State.BAD


def test_trouble_that_went_away_starts_anew() -> None:
    judge = Judge(SERVICE, replicas=2)
    trouble = troubled(FailureKind.UNSCHEDULABLE)
    judge.look(look(trouble), 100.0)
    judge.look(look(READY), 120.0)
    assert judge.look(look(trouble), 131.0).state is State.GOING


def test_never_ready_by_the_start_deadline() -> None:
    judge = Judge(SERVICE, replicas=1)
    starting = Instance(id="a", slot="1", state=InstanceState.STARTING)
    assert judge.look(look(starting), 100.0).state is State.GOING
    verdict = judge.look(look(starting), 110.0)
    assert verdict.state is State.BAD
    assert verdict.culprits[0].problem.kind is FailureKind.UNHEALTHY


def test_never_ready_tells_what_the_check_found() -> None:
    """A check that fails is no failure while the process may still start; then it is the cause."""
    judge = Judge(SERVICE, replicas=1)
    found = Problem(kind=FailureKind.UNHEALTHY, message="status 500")
    starting = Instance(id="a", slot="1", state=InstanceState.STARTING, problem=found)
    assert judge.look(look(starting), 100.0).state is State.GOING
    assert judge.look(look(starting), 109.9).state is State.GOING
    (culprit,) = judge.look(look(starting), 110.0).culprits
    assert culprit.problem.kind is FailureKind.UNHEALTHY
    assert culprit.problem.message == "not ready within 10s (health.start.deadline): status 500"


def test_an_image_pull_does_not_use_up_the_start_deadline() -> None:
    judge = Judge(SERVICE, replicas=1)
    pulling = Instance(id="a", slot="1", state=InstanceState.PENDING)
    judge.look(look(pulling), 100.0)
    assert judge.look(look(pulling), 150.0).state is State.GOING


def test_the_backends_own_verdict_is_final_and_explained_by_the_instances() -> None:
    gave_up = Problem(kind=FailureKind.REFUSED, message="update paused")
    judge = Judge(SERVICE, replicas=1)
    assert judge.look(look(verdict=gave_up), 1.0).culprits[0].problem is gave_up
    crash = troubled(FailureKind.CRASHED, exits=1)
    assert judge.look(look(crash, verdict=gave_up), 1.0).culprits[0].instance == crash


def test_at_the_deadline_the_message_says_what_was_missing() -> None:
    judge = Judge(SERVICE, replicas=2)
    judge.look(look(READY), 100.0)
    verdict = judge.at_deadline(look(READY), 160.0)
    assert verdict.state is State.BAD
    assert verdict.culprits[-1].problem.message == "not done within 1m (rollout.deadline): 1 of 2 ready"


def test_zero_replicas_are_done_when_nothing_runs() -> None:
    judge = Judge(SERVICE, replicas=0)
    assert judge.look(look(replace(READY, state=InstanceState.STOPPING)), 1.0).state is State.GOING
    assert judge.look(look(), 1.1).state is State.GOOD


def test_a_backend_that_is_still_updating_is_waited_for() -> None:
    judge = Judge(SERVICE, replicas=1)
    judge.look(look(READY, settled=False, note="updating"), 100.0)
    assert judge.look(look(READY, settled=False, note="updating"), 110.0).waiting_for == "updating"


def test_with_bounds_the_count_may_move_while_we_wait() -> None:
    """An autoscaler raised it from 1 to 2 in the middle of the rollout: two ready ones are what is wanted now."""
    service = replace(SERVICE, replicas=None, scaling=Scaling(min=1, max=4))
    pair = tuple(Instance(id=i, state=InstanceState.RUNNING, ready=True) for i in ("a", "b"))
    judge = Judge(service, replicas=1)
    judge.look(Progress(template_hash="t", replicas=2, instances=pair), 0.0)
    assert judge.look(Progress(template_hash="t", replicas=2, instances=pair), 60.0).state is State.GOOD
    assert judge.look(Progress(template_hash="t", replicas=3, instances=pair), 61.0).state is State.GOING


@pytest.mark.parametrize("kind", [FailureKind.UNSCHEDULABLE, FailureKind.PORT_TAKEN, FailureKind.REFUSED])
@pytest.mark.parametrize("current", [True, False])
def test_room_that_an_instance_keeps_until_it_is_gone_is_waited_for(kind: FailureKind, current: bool) -> None:
    judge, waits = Judge(SERVICE, replicas=1), troubled(kind)
    leaving = Instance(id="leaving", slot="9", current=current, state=InstanceState.STOPPING)
    assert judge.look(look(waits, leaving), 0.0).state is State.GOING
    assert judge.look(look(waits, leaving), 50.0).state is State.GOING
    assert judge.look(look(waits), 51.0).state is State.GOING, "from now on it counts"
    assert judge.look(look(waits), 51.0 + UNSCHEDULABLE_S).state is State.BAD


def test_what_has_nothing_to_do_with_room_is_judged_all_the_same() -> None:
    leaving = Instance(id="leaving", current=False, state=InstanceState.STOPPING)
    assert Judge(SERVICE, replicas=1).look(look(troubled(FailureKind.IMAGE), leaving), 0.0).state is State.BAD


def test_the_deadline_tells_what_had_no_room() -> None:
    judge, waits = Judge(SERVICE, replicas=1), troubled(FailureKind.UNSCHEDULABLE)
    seen = look(waits, Instance(id="leaving", current=False, state=InstanceState.STOPPING))
    assert [c.problem.kind for c in judge.at_deadline(seen, 60.0).culprits] == [
        FailureKind.UNSCHEDULABLE,
        FailureKind.DEADLINE,
    ]
