"""Judged from what a real engine showed (20.10), recorded in tests/golden/swarm."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.rollout import FailureKind, Instance, InstanceState, Progress
from orchctl.core.service import Service
from orchctl.engine.verdict import Judge, State
from orchctl_swarm.names import PAUSED
from orchctl_swarm.problems import problem_of
from orchctl_swarm.progress import Nodes, observe
from tests.unit.swarm import golden


def look(name: str, *, down: bool = False, **changes: Any) -> Progress:
    seen = golden.read(name)
    names = {n["ID"]: n["Description"]["Hostname"] for n in seen["nodes"]}
    service = seen["service"] | changes if seen["service"] else None
    return observe(service, seen["tasks"], Nodes(names, frozenset(names) if down else frozenset()), expect="e")


def current(progress: Progress) -> list[Instance]:
    return [i for i in progress.instances if i.current]


def test_a_converged_service_has_its_instances_ready_and_nothing_else() -> None:
    found = look("running")
    assert [(i.slot, i.node, i.state, i.ready, i.exits, i.problem) for i in found.instances] == [
        (slot, "manager", InstanceState.RUNNING, True, 0, None) for slot in ("1", "2")
    ]
    assert (found.settled, found.verdict, found.replicas, found.expect) == (True, None, 2, "e")
    assert {i.template_hash for i in found.instances} == {found.template_hash}


def test_during_an_update_old_and_new_are_told_apart_and_it_is_not_settled() -> None:
    found = look("updating")
    old = [i for i in found.instances if not i.current]
    assert [(i.state, i.ready) for i in old] == [(InstanceState.RUNNING, True)] * 2
    assert [(i.state, i.ready) for i in current(found)] == [(InstanceState.STARTING, False)]
    assert not found.settled


def test_old_tasks_that_were_told_to_stop_are_stopping_until_they_are_gone() -> None:
    found = look("completed")
    assert found.settled
    assert [i.state for i in found.instances if not i.current] == [InstanceState.STOPPING] * 2
    assert [i.ready for i in current(found)] == [True, True]


def test_of_a_removed_service_only_what_still_stops_is_left() -> None:
    found = look("removed")
    assert (found.template_hash, found.replicas) == ("", 0)
    assert {i.state for i in found.instances} == {InstanceState.STOPPING}


@pytest.mark.parametrize(
    ("name", "kind", "text", "exit_code"),
    [
        ("first_crash_loop", FailureKind.CRASHED, "task: non-zero exit (7)", 7),
        ("first_missing_image", FailureKind.IMAGE, "No such image: 127.0.0.1:1/none:1", None),
        ("first_bad_mount", FailureKind.CONFIG, "bind source path does not exist: /absent", None),
        ("first_bad_command", FailureKind.CRASHED, "task: non-zero exit (127)", 127),
        ("first_out_of_memory", FailureKind.OUT_OF_MEMORY, "task: non-zero exit (137)", 137),
        ("first_unhealthy", FailureKind.UNHEALTHY, "unhealthy container", 143),
        ("first_unschedulable", FailureKind.UNSCHEDULABLE, "scheduling constraints not satisfied", None),
        ("first_port_taken", FailureKind.PORT_TAKEN, "host-mode port already in use", None),
    ],
)
def test_trouble_is_classified_with_the_engines_words(
    name: str, kind: FailureKind, text: str, exit_code: int | None
) -> None:
    problem = next(i.problem for i in current(look(name)) if i.problem)
    assert (problem.kind, problem.exit_code, problem.transient) == (kind, exit_code, False)
    assert text in problem.message


def test_a_crash_loop_counts_exits_by_slot_and_names_the_task_whose_output_tells_why() -> None:
    found = current(look("first_crash_loop"))
    ended = {t["ID"] for t in golden.read("first_crash_loop")["tasks"] if t["Status"]["State"] == "failed"}
    assert max(i.exits for i in found) >= 2
    assert sum(i.exits for i in found) == len(ended)
    assert {i.log_id for i in found if i.problem} <= ended


def test_a_task_waiting_for_its_restart_has_no_process() -> None:
    assert {i.state for i in current(look("first_out_of_memory"))} == {InstanceState.EXITED}


def test_exits_before_the_present_round_do_not_count() -> None:
    later = golden.read("first_crash_loop")["service"]
    found = current(look("first_crash_loop", UpdatedAt="2099-01-01T00:00:00Z", PreviousSpec=later["Spec"]))
    assert [(i.exits, i.problem) for i in found if i.state is not InstanceState.EXITED] == [(0, None)] * len(found)


def test_a_first_rollout_begins_with_the_service_and_not_when_it_gets_its_addresses() -> None:
    """The swarm notes these in the service, on a busy engine after a first task has ended already."""
    assert current(look("first_crash_loop", UpdatedAt="2099-01-01T00:00:00Z")) == current(look("first_crash_loop"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("paused_crash", FailureKind.CRASHED),
        ("paused_missing_image", FailureKind.IMAGE),
        ("paused_unhealthy", FailureKind.UNHEALTHY),
    ],
)
def test_a_paused_update_is_the_engines_verdict_and_the_old_tasks_serve_on(name: str, kind: FailureKind) -> None:
    found = look(name)
    assert found.verdict is not None
    assert (found.verdict.kind, found.settled) == (kind, True)
    assert [i.ready for i in found.instances if not i.current] == [True, True]


def test_a_rollout_that_orchctl_paused_is_settled_and_says_so() -> None:
    seen = golden.read("updating")["service"]
    seen["Spec"]["Labels"][PAUSED] = "true"
    found = look("updating", Spec=seen["Spec"])
    assert found.settled
    assert found.verdict is not None
    assert found.verdict.message == "paused by orchctl"


def test_tasks_on_a_node_that_is_down_are_not_ready_and_stopping_ones_there_are_not_waited_for() -> None:
    assert [i.ready for i in look("running", down=True).instances] == [False, False]
    assert [i for i in look("completed", down=True).instances if not i.current] == []


def test_a_note_says_what_the_scheduler_waits_for() -> None:
    assert look("first_unschedulable").note == "no suitable node (scheduling constraints not satisfied on 1 node)"


@pytest.mark.parametrize(
    ("text", "kind", "transient"),
    [
        ("No such image: web:1", FailureKind.IMAGE, False),
        ("pull access denied for web", FailureKind.IMAGE, False),
        ("manifest unknown: TLS handshake timeout", FailureKind.IMAGE, True),
        ("no suitable node (insufficient resources on 3 nodes)", FailureKind.UNSCHEDULABLE, False),
        ("no suitable node (max replicas per node limit exceed)", FailureKind.UNSCHEDULABLE, False),
        ("starting container failed: port is already allocated", FailureKind.PORT_TAKEN, False),
        ('starting container failed: exec: "x": executable file not found in $PATH', FailureKind.CONFIG, False),
        ("No such image: registry.local:5000/shop/web:2", FailureKind.IMAGE, False),
        ("No such image: geofence:503", FailureKind.IMAGE, False),
        ("manifest unknown: received unexpected HTTP status: 503 Service Unavailable", FailureKind.IMAGE, True),
        ("manifest unknown: EOF", FailureKind.IMAGE, True),
        ('starting container failed: exec: "/opt/room/bin": no such file', FailureKind.CONFIG, False),
        ("invalid mount: bind source path does not exist: /data/zoom", FailureKind.CONFIG, False),
        ("something never seen", FailureKind.CONFIG, False),
    ],
)
def test_rejections_are_classified_by_their_text(text: str, kind: FailureKind, transient: bool) -> None:
    problem = problem_of({"Status": {"State": "rejected", "Err": text}})
    assert problem is not None
    assert (problem.kind, problem.transient) == (kind, transient)


def test_a_process_that_ends_well_but_should_have_stayed_is_reported_with_code_0() -> None:
    problem = problem_of({"Status": {"State": "complete", "ContainerStatus": {"ExitCode": 0}}})
    assert problem is not None
    assert (problem.kind, problem.exit_code) == (FailureKind.CRASHED, 0)


def test_a_kill_without_a_memory_limit_is_a_crash() -> None:
    problem = problem_of({"Status": {"State": "failed", "Err": "task: non-zero exit (137)"}})
    assert problem is not None
    assert problem.kind is FailureKind.CRASHED


@pytest.mark.parametrize("name", ["first_port_taken", "first_unschedulable"])
def test_room_that_a_leaving_task_keeps_is_waited_for(name: str) -> None:
    """The scheduler counts its port and its memory until it has ended, however long it takes."""
    seen = golden.read(name)
    pending = [t for t in seen["tasks"] if t["Status"]["State"] == "pending"]
    assert pending
    old = dict(pending[0], ID="old", DesiredState="shutdown", NodeID="n1", Spec={}, Status={"State": "running"})
    nodes = Nodes({"n1": "manager"})
    alone = observe(seen["service"], seen["tasks"], nodes)
    beside = observe(seen["service"], [*seen["tasks"], old], nodes)
    judge = Judge(Service(name="web", namespace="shop"), replicas=len(current(alone)))
    assert [judge.look(beside, at).state for at in (0.0, 40.0)] == [State.GOING, State.GOING]
    judge.look(alone, 80.0)
    assert judge.look(alone, 120.0).state is State.BAD
    assert beside.note == alone.note != ""
