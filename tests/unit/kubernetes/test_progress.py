"""Deployments in every stage of a rollout."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from orchctl.core.rollout import FailureKind, InstanceState, Progress
from orchctl.core.service import Service
from orchctl.engine.verdict import Judge, State
from orchctl_kubernetes.progress import instance_id, observe
from tests.unit.kubernetes.observed import (
    container,
    deployment,
    finished,
    pod,
    replica_set,
    terminated,
    unscheduled,
    waiting,
)

QUOTA = 'pods "web-1-x" is forbidden: exceeded quota: few'


def failing(message: str = QUOTA, updated: str = "2026-11-23T09:00:01Z") -> dict[str, Any]:
    found = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    return {"updatedReplicas": 0, "conditions": [found | {"lastUpdateTime": updated}]}


def brief(progress: Progress) -> list[tuple[str, bool, str, bool]]:
    return [(i.id, i.current, i.state.value, i.ready) for i in progress.instances]


def test_a_converged_service_is_settled_and_its_pods_are_ready() -> None:
    found = observe(deployment(), [replica_set()], [pod("web-1-a"), pod("web-1-b")], expect="e")
    assert brief(found) == [("web-1-a", True, "running", True), ("web-1-b", True, "running", True)]
    assert (found.template_hash, found.expect, found.replicas) == ("t1", "e", 2)
    assert (found.settled, found.verdict, found.paused, found.note) == (True, None, False, "")


def test_nothing_counts_before_the_controller_has_seen_the_change() -> None:
    found = observe(deployment(observedGeneration=2, **failing()), [replica_set()], [pod()])
    assert [i.current for i in found.instances] == [False]
    assert (found.settled, found.verdict) == (False, None)


def test_a_stale_progressing_condition_is_no_verdict() -> None:
    stale = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    assert observe(deployment(conditions=[stale]), [replica_set()], [pod()]).verdict is None


def test_old_and_new_pods_are_told_apart_in_the_middle() -> None:
    sets = [replica_set(1), replica_set(2)]
    pods = [pod("web-1-a"), pod("web-2-a", revision=2, template="t2", ready=False)]
    found = observe(deployment(1, revision=2, template="t2", replicas=2, unavailableReplicas=1), sets, pods)
    assert brief(found) == [("web-2-a", True, "starting", False), ("web-1-a", False, "running", True)]
    assert not found.settled


def test_while_the_sets_revision_lags_behind_nothing_is_current() -> None:
    found = observe(deployment(1, revision=2), [replica_set(1)], [pod()])
    assert [i.current for i in found.instances] == [False]


def test_a_set_of_an_earlier_deployment_with_the_same_revision_is_not_ours() -> None:
    sets = [replica_set(1, uid="rs-old", owner="d-0"), replica_set(1)]
    assert [i.current for i in observe(deployment(1), sets, [pod()]).instances] == [True]
    assert [i.current for i in observe(deployment(1), sets[:1], [pod()]).instances] == [False]


def test_a_restart_has_the_same_template_hash_and_another_set() -> None:
    pods = [pod("web-1-a"), pod("web-2-a", revision=2, restarted="now")]
    found = observe(deployment(1, revision=2, restarted="now"), [replica_set(1), replica_set(2)], pods)
    assert [(i.id, i.current) for i in found.instances] == [("web-2-a", True), ("web-1-a", False)]


@pytest.mark.parametrize("change", [{"template": "t2"}, {"restarted": "now"}])
def test_under_a_pause_the_old_set_is_not_taken_for_the_new_template(change: dict[str, str]) -> None:
    paused = deployment(1, **change)
    paused["spec"]["paused"] = True
    found = observe(paused, [replica_set()], [pod()])
    assert ([i.current for i in found.instances], found.paused, found.settled) == ([False], True, True)


def test_scaled_to_nothing_it_is_settled_when_the_counts_are_gone() -> None:
    assert observe(deployment(0), [replica_set()], []).settled
    stopping = observe(deployment(0, replicas=1, updatedReplicas=1), [replica_set()], [pod(leaving=True)])
    assert (brief(stopping), stopping.settled) == ([("web-1-a", True, "stopping", False)], False)


def test_a_deleted_service_is_its_pods_until_they_are_gone() -> None:
    leaving = deployment()
    leaving["metadata"]["deletionTimestamp"] = "2026-11-23T09:01:00Z"
    for gone in (None, leaving):
        found = observe(gone, [], [pod(), pod("web-1-b", leaving=True), finished("web-1-c", "Evicted")])
        assert (found.template_hash, found.replicas) == ("", 0)
        assert [(i.id, i.state) for i in found.instances] == [
            ("web-1-a", InstanceState.STOPPING),
            ("web-1-b", InstanceState.STOPPING),
        ]
    assert [(i.id, i.state) for i in observe(leaving, [], []).instances] == [("web", InstanceState.STOPPING)]
    assert observe(None, [], []).instances == ()


@pytest.mark.parametrize(
    ("status", "state", "run", "exits", "log"),
    [
        ({"state": terminated(7)}, "exited", "", 1, "/0"),
        ({"state": waiting("CrashLoopBackOff"), "last": terminated(7), "restarts": 2}, "exited", "/2", 3, "/2"),
        ({"last": terminated(7), "restarts": 2}, "starting", "/2", 2, "/1"),
        ({"last": terminated(7), "restarts": 1}, "starting", "/1", 1, "/0"),
    ],
)
def test_a_crash_loop_counts_its_ends_and_names_the_run_that_tells_why(
    status: dict[str, Any], state: str, run: str, exits: int, log: str
) -> None:
    (found,) = observe(deployment(1), [replica_set()], [pod(ready=False, **status)]).instances
    assert (found.state.value, found.id, found.slot) == (state, "web-1-a" + run, "web-1-a")
    assert (found.exits, found.log_id) == (exits, "web-1-a" + log)
    assert found.problem is not None
    assert (found.problem.kind, found.problem.exit_code) == (FailureKind.CRASHED, 7)


def test_a_pod_that_has_recovered_has_no_problem_but_a_new_id() -> None:
    (found,) = observe(deployment(1), [replica_set()], [pod(last=terminated(7), restarts=1)]).instances
    assert (found.id, found.ready, found.problem, found.exits) == ("web-1-a/1", True, None, 1)


def test_a_pod_that_waits_for_its_image_is_pending() -> None:
    found = observe(deployment(1), [replica_set()], [pod(ready=False, state=waiting("ErrImagePull", "not found"))])
    assert [(i.state, i.exits, i.log_id) for i in found.instances] == [(InstanceState.PENDING, 0, "")]


def test_what_the_scheduler_waits_for_is_the_note() -> None:
    found = observe(deployment(1), [replica_set()], [unscheduled("0/1 nodes are available: 1 Insufficient cpu.")])
    assert (found.instances[0].state, found.note) == (
        InstanceState.PENDING,
        "0/1 nodes are available: 1 Insufficient cpu.",
    )


def test_an_evicted_pod_stands_for_itself_only_until_it_is_replaced() -> None:
    evicted = finished("web-1-a", "Evicted", "The node was low on resource: memory.", made="2026-11-23T08:00:00Z")
    alone = observe(deployment(1), [replica_set()], [evicted])
    assert [(i.state, i.problem is not None) for i in alone.instances] == [(InstanceState.EXITED, True)]
    replaced = observe(deployment(1), [replica_set()], [evicted, pod("web-1-b", ready=False)])
    assert brief(replaced) == [("web-1-b", True, "starting", False)]


def test_a_finished_pod_of_an_old_set_is_not_waited_for() -> None:
    old = finished("web-1-a", "Evicted")
    found = observe(deployment(1, revision=2), [replica_set(2)], [old, pod("web-2-a", revision=2)])
    assert [i.id for i in found.instances] == ["web-2-a"]


def test_a_pod_on_a_lost_node_is_not_ready_and_does_not_hold_the_rollout_once_deleted() -> None:
    lost = pod(ready=False, reason="NodeLost", message="Node n1 is unresponsive")
    (found,) = observe(deployment(1), [replica_set()], [lost]).instances
    assert found.problem is not None
    assert (found.ready, found.problem.kind) == (False, FailureKind.UNHEALTHY)
    gone = pod(ready=False, reason="NodeLost", leaving=True)
    assert [i.id for i in observe(deployment(1), [replica_set()], [gone, pod("web-1-b")]).instances] == ["web-1-b"]


def test_a_sidecar_that_is_not_ready_keeps_the_pod_out_and_its_crashes_count() -> None:
    both = [
        container("web"),
        container("mesh", ready=False, state=waiting("CrashLoopBackOff"), last=terminated(1), restarts=3),
    ]
    found = pod(ready=False, containerStatuses=both)
    found["spec"]["containers"].insert(0, {"name": "mesh"})
    (seen,) = observe(deployment(1), [replica_set()], [found]).instances
    assert (seen.id, seen.state, seen.ready, seen.exits) == ("web-1-a", InstanceState.STARTING, False, 4)
    assert seen.problem is not None
    assert seen.problem.message.startswith("container mesh: ")


def test_a_quota_that_refuses_pods_is_the_verdict() -> None:
    found = observe(deployment(1, **failing()), [replica_set()], [])
    assert found.verdict is not None
    assert (found.verdict.kind, found.verdict.message, found.note) == (FailureKind.REFUSED, QUOTA, QUOTA)


@pytest.mark.parametrize(
    "status",
    [
        failing('pods "web-0-x" is forbidden: exceeded quota: few'),
        failing(updated="2026-11-23T08:59:59Z"),
        failing() | {"updatedReplicas": 1},
        failing("Internal error occurred: failed calling webhook: connection refused"),
    ],
)
def test_an_old_or_passing_refusal_is_no_verdict(status: dict[str, Any]) -> None:
    assert observe(deployment(1, **status), [replica_set(0), replica_set()], []).verdict is None


@pytest.mark.parametrize("wrong", [None, 7, "x", [], {}, [None], {"conditions": 1}])
def test_answers_of_the_wrong_shape_never_raise(wrong: Any) -> None:
    for key in ("metadata", "spec", "status"):
        odd = observe(deployment() | {key: wrong}, [replica_set() | {key: wrong}], [pod() | {key: wrong}])
        assert not odd.verdict
    states = pod() | {"status": {"phase": "Pending", "containerStatuses": wrong, "conditions": wrong}}
    assert observe(deployment(1), [replica_set()], [states]).instances[0].state is InstanceState.PENDING


def test_every_run_has_its_own_id() -> None:
    assert (instance_id(pod()), instance_id(pod(restarts=2))) == ("web-1-a", "web-1-a/2")


@pytest.mark.parametrize(
    "message", ["1 node(s) didn't have free ports for the requested pod ports.", "1 Insufficient memory"]
)
def test_room_that_a_leaving_pod_keeps_is_waited_for(message: str) -> None:
    """Its port, its memory and its place are its own until it is gone, however long it drains."""
    pending = unscheduled(message)
    old = pod("web-0-a", revision=0, template="t0", leaving=True)
    beside = observe(deployment(1), [replica_set()], [pending, old])
    alone = observe(deployment(1), [replica_set()], [pending])
    assert beside.note == message
    assert judged(beside, alone) == [State.GOING, State.GOING, State.GOING, State.BAD]


def judged(*looks: Progress) -> list[State]:
    """Each as long as would be borne where nothing is leaving."""
    judge, times = Judge(Service(name="web", namespace="shop"), replicas=2), itertools.count(0.0, 40.0)
    return [judge.look(seen, next(times)).state for seen in looks for _ in range(2)]


def refused_by_quota(*pods: dict[str, Any], unavailable: object = 1) -> Progress:
    found = deployment(2, revision=2, **failing(QUOTA.replace("web-1", "web-2")))
    found["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": 1}}
    return observe(found, [replica_set(2), replica_set(1)], pods)


@pytest.mark.parametrize("unavailable", [0, "0%"])
def test_a_quota_says_no_for_good_where_nothing_will_leave(unavailable: object) -> None:
    old = pod("web-1-a", revision=1, template="t0")
    seen = refused_by_quota(pod("web-2-a", revision=2), old, unavailable=unavailable)
    assert seen.verdict is not None
    assert "exceeded quota" in seen.verdict.message


@pytest.mark.parametrize("old", [[pod("web-1-a", revision=1, template="t0")], []], ids=["there", "just gone"])
def test_a_quota_that_old_pods_fill_is_judged_as_a_missing_place(old: list[dict[str, Any]]) -> None:
    seen = refused_by_quota(pod("web-2-a", revision=2), *old)
    assert seen.verdict is None
    (waiting_one,) = (i for i in seen.instances if i.id == "web/refused")
    assert waiting_one.problem is not None
    assert waiting_one.problem.transient
    assert waiting_one.state is InstanceState.PENDING
    assert judged(seen) == [State.GOING, State.BAD]


def test_a_quota_that_a_leaving_pod_fills_is_waited_for() -> None:
    old = pod("web-1-a", revision=1, template="t0", leaving=True)
    seen = refused_by_quota(pod("web-2-a", revision=2), old)
    assert seen.verdict is None
    assert "exceeded quota" in seen.note
    assert judged(seen) == [State.GOING, State.GOING]
