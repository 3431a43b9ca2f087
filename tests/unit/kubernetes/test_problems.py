"""What pods and their events say, classified."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.rollout import FailureKind
from orchctl_kubernetes.problems import is_node_coming, problem_of, problem_of_events, refused
from tests.unit.kubernetes.observed import finished, pod, terminated, unscheduled, waiting


def broken(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pod(ready=False, state=state, **more)


@pytest.mark.parametrize(
    ("found", "kind", "transient"),
    [
        (broken(waiting("ErrImagePull", "failed to resolve reference: r/x:1: not found")), FailureKind.IMAGE, False),
        (broken(waiting("ErrImagePull", "dial tcp: i/o timeout")), FailureKind.IMAGE, True),
        (broken(waiting("ImagePullBackOff", 'Back-off pulling image "x"')), FailureKind.IMAGE, True),
        (broken(waiting("InvalidImageName", "couldn't parse")), FailureKind.IMAGE, False),
        (broken(waiting("CreateContainerConfigError", 'secret "x" not found')), FailureKind.CONFIG, False),
        (broken(waiting("CreateContainerError", "context deadline exceeded")), FailureKind.CONFIG, True),
        (broken(terminated(128, "StartError", 'exec: "x": executable file not found')), FailureKind.CONFIG, False),
        (broken(terminated(137, "OOMKilled")), FailureKind.OUT_OF_MEMORY, False),
        (broken(terminated(0, "Completed")), FailureKind.CRASHED, False),
        (broken(waiting("CrashLoopBackOff"), last=terminated(7)), FailureKind.CRASHED, False),
        (unscheduled("0/1 nodes are available: 1 Insufficient cpu."), FailureKind.UNSCHEDULABLE, True),
        (unscheduled("1 node(s) didn't have free ports for the requested pod ports."), FailureKind.PORT_TAKEN, True),
        (finished("p", "OutOfcpu", "Pod was rejected"), FailureKind.UNSCHEDULABLE, True),
        (finished("p", "Evicted", "The node was low on resource: memory."), FailureKind.OUT_OF_MEMORY, True),
        (finished("p", "NodePorts"), FailureKind.PORT_TAKEN, True),
    ],
)
def test_trouble_is_classified(found: dict[str, Any], kind: FailureKind, transient: bool) -> None:
    problem = problem_of(found, "web")
    assert problem is not None
    assert (problem.kind, problem.transient) == (kind, transient)


def test_a_healthy_or_starting_pod_has_no_problem() -> None:
    assert problem_of(pod(last=terminated(7)), "web") is None
    assert problem_of(broken(waiting("ContainerCreating")), "web") is None


def test_a_signal_is_the_liveness_checks_only_where_there_is_one() -> None:
    found = broken(terminated(137))
    assert problem_of(found, "web").kind is FailureKind.CRASHED  # type: ignore[union-attr]
    found["spec"]["containers"][0]["livenessProbe"] = {"tcpSocket": {"port": 80}}
    assert problem_of(found, "web").kind is FailureKind.UNHEALTHY  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("FailedMount", 'MountVolume.SetUp failed: secret "x" not found', (FailureKind.CONFIG, False)),
        ("FailedMount", "timed out waiting for the condition", (FailureKind.CONFIG, True)),
        ("FailedCreatePodSandBox", "plugin not found", (FailureKind.CONFIG, True)),
        ("Unhealthy", "Liveness probe failed: refused", (FailureKind.UNHEALTHY, False)),
    ],
)
def test_events_tell_why_a_pod_is_not_created(reason: str, message: str, expected: tuple[object, bool]) -> None:
    old = {"type": "Warning", "reason": "BackOff", "lastTimestamp": "2026-11-23T09:00:09Z"}
    found = {"type": "Warning", "reason": reason, "message": message, "lastTimestamp": "2026-11-23T09:00:00Z"}
    problem = problem_of_events([found, old, {"type": "Normal", "reason": "Pulled"}])
    assert problem is not None
    assert (problem.kind, problem.transient) == expected
    assert problem_of_events([old]) is None


def test_only_a_true_condition_refuses() -> None:
    assert refused({"status": "False", "reason": "FailedCreate"}) is None
    assert refused({"status": "True", "reason": "FailedDelete"}) is None


def told(kind: str, reason: str, message: str, at: int) -> dict[str, object]:
    return {"type": kind, "reason": reason, "message": message, "lastTimestamp": f"2026-11-23T09:00:{at:02}Z"}


OVERCOME = [
    (told("Warning", "FailedScheduling", "0/3 nodes are available", 1), "Scheduled"),
    (told("Warning", "FailedAttachVolume", "Multi-Attach error for volume", 1), "SuccessfulAttachVolume"),
    (told("Warning", "FailedMount", 'secret "x" not found', 1), "Pulled"),
    (told("Warning", "FailedCreatePodSandBox", "plugin not ready", 1), "Pulling"),
]


@pytest.mark.parametrize(("trouble", "then"), OVERCOME)
def test_what_was_overcome_is_no_reason_any_more(trouble: dict[str, object], then: str) -> None:
    """A pod that pulls a large image or warms up after it would be judged by what is long past."""
    assert problem_of_events([told("Normal", then, "", 2), trouble]) is None
    assert problem_of_events([trouble], has_process=True) is None


def test_what_comes_back_is_a_reason_again() -> None:
    again = told("Warning", "FailedMount", 'secret "x" not found', 9)
    assert problem_of_events([told("Normal", "Pulling", "", 2), again]) is not None


def test_a_probe_fails_while_a_process_runs() -> None:
    failed = told("Warning", "Unhealthy", "Startup probe failed: refused", 3)
    found = problem_of_events([failed, told("Normal", "Started", "", 2)], has_process=True)
    assert found is not None
    assert found.kind is FailureKind.UNHEALTHY


def unhealthy(message: str, at: int) -> dict[str, object]:
    return told("Warning", "Unhealthy", message, at)


def test_what_a_readiness_check_found_is_told_as_one_cause_of_all_pods() -> None:
    """The kubelet has the pod's own address in it, which would make the same cause another one for each pod."""
    words = 'Readiness probe failed: Get "http://{0}:8080/": dial tcp {0}:8080: connect: connection refused'
    events = [[unhealthy(words.format(address), 3)] for address in ("10.244.0.5", "10.244.0.6", "[fd00::1f]")]
    problems = [problem_of_events([*e, told("Normal", "Started", "", 2)], has_process=True) for e in events]
    (problem,) = set(problems)
    assert problem is not None
    assert problem.kind is FailureKind.UNHEALTHY
    assert problem.message == words.format("POD")


def test_a_check_that_restarts_the_process_is_the_better_reason() -> None:
    events = [unhealthy("Liveness probe failed: refused", 3), unhealthy("Readiness probe failed: refused", 4)]
    found = problem_of_events(events, has_process=True)
    assert found is not None
    assert found.message == "Liveness probe failed: refused"


@pytest.mark.parametrize(
    ("reasons", "comes"),
    [
        (["TriggeredScaleUp"], True),
        (["FailedScheduling", "Nominated"], True),
        (["NotTriggerScaleUp", "TriggeredScaleUp"], True),
        (["TriggeredScaleUp", "NotTriggerScaleUp"], False),
        (["FailedScheduling"], False),
        ([], False),
    ],
)
def test_a_node_that_is_on_its_way_is_seen(reasons: list[str], comes: bool) -> None:
    assert is_node_coming([told("Normal", r, "", n) for n, r in enumerate(reasons)]) is comes


def test_a_pod_for_which_others_make_room_has_no_trouble() -> None:
    blocked = unscheduled("0/1 nodes are available: 1 Insufficient cpu.")
    assert problem_of(blocked, "web") is not None
    blocked["status"]["nominatedNodeName"] = "n1"
    assert problem_of(blocked, "web") is None
