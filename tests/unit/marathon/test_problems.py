"""What Mesos' executors and Marathon say, classified."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from orchctl.core.rollout import FailureKind
from orchctl_marathon.problems import exit_code, is_held_back, problem_of, unplaced
from tests.unit.marathon.recorded import queued

NO_SUCH_IMAGE = (
    "Failed to launch container: Failed to run 'docker -H unix:///var/run/docker.sock pull zoom:1': exited with status 1; "
    "stderr='Error response from daemon: pull access denied for zoom, repository does not exist or may require 'docker "
    "login': denied: requested access to the resource is denied\n'"
)
NO_SUCH_MANIFEST = (
    "Failed to launch container: Failed to pull image 'web:1.500': Unexpected HTTP response '404 Not Found' when trying to "
    "get the manifest"
)
BUSY_REGISTRY = (
    "Failed to launch container: Failed to pull image 'web:1': Unexpected HTTP response '503 Service Unavailable' when "
    "trying to get the manifest"
)
SLOW_REGISTRY = (
    "Failed to launch container: Failed to run 'docker -H unix:///var/run/docker.sock pull web:1': exited with status 1; "
    "stderr='Error response from daemon: Get https://r/v2/: net/http: TLS handshake timeout\n'"
)
OUT_OF_MEMORY = (
    "Memory limit exceeded: Requested: 64MB Maximum Used: 64MB\n\nMEMORY STATISTICS: \ncache 0\nrss 67108864\n"
)
UNHEALTHY = "Task was killed since health check failed. Reason: 500 Internal Server Error"
PORT_TAKEN = (
    "Failed to launch container: Failed to run docker: Error response from daemon: driver failed programming external "
    "connectivity: Bind for 0.0.0.0:8080 failed: port is already allocated"
)


@pytest.mark.parametrize(
    ("message", "state", "kind", "code", "transient"),
    [
        ("Command exited with status 1", "TASK_FAILED", FailureKind.CRASHED, 1, False),
        ("Container exited with status 7", "TASK_FAILED", FailureKind.CRASHED, 7, False),
        ("Container exited with status 137", "TASK_FAILED", FailureKind.CRASHED, 137, False),
        ("Command exited with status 126", "TASK_FAILED", FailureKind.CONFIG, 126, False),
        ("Command exited with status 127", "TASK_FAILED", FailureKind.CONFIG, 127, False),
        ("Command terminated with signal Killed", "TASK_FAILED", FailureKind.CRASHED, 137, False),
        (
            "Command terminated with signal Segmentation fault (core dumped)",
            "TASK_FAILED",
            FailureKind.CRASHED,
            139,
            False,
        ),
        (OUT_OF_MEMORY, "TASK_FAILED", FailureKind.OUT_OF_MEMORY, None, False),
        ("Container was OOM-killed", "TASK_FAILED", FailureKind.OUT_OF_MEMORY, None, False),
        (NO_SUCH_IMAGE, "TASK_FAILED", FailureKind.IMAGE, None, False),
        (NO_SUCH_MANIFEST, "TASK_FAILED", FailureKind.IMAGE, None, False),
        (BUSY_REGISTRY, "TASK_FAILED", FailureKind.IMAGE, None, True),
        (SLOW_REGISTRY, "TASK_FAILED", FailureKind.IMAGE, None, True),
        (UNHEALTHY, "TASK_KILLED", FailureKind.UNHEALTHY, None, False),
        (PORT_TAKEN, "TASK_FAILED", FailureKind.PORT_TAKEN, None, False),
        ("Failed to get user information for 'web': Success", "TASK_FAILED", FailureKind.CONFIG, None, False),
        (
            "Failed to launch container: Failed to chdir to '/x': No such file or directory",
            "TASK_FAILED",
            FailureKind.CONFIG,
            None,
            False,
        ),
        (
            "Failed to launch container: Failed to fetch all URIs for container",
            "TASK_FAILED",
            FailureKind.CONFIG,
            None,
            False,
        ),
        ("Task uses more resources than available", "TASK_ERROR", FailureKind.CONFIG, None, False),
        ("Reconciliation: Task is unknown to the agent", "TASK_LOST", FailureKind.CRASHED, None, False),
    ],
)
def test_trouble_is_classified(message: str, state: str, kind: FailureKind, code: int | None, transient: bool) -> None:
    found = problem_of({"state": state, "message": message})
    assert (found.kind, found.exit_code, found.transient) == (kind, code, transient)
    assert found.message == message.strip()


def test_a_message_that_is_missing_is_made_of_the_state() -> None:
    assert problem_of({"state": "TASK_FINISHED"}).exit_code == 0
    assert problem_of({"state": "TASK_GONE", "message": ""}).message == "the task ended as TASK_GONE"


@pytest.mark.parametrize("number", [s for s in range(1, 16) if s not in (10, 12)])
def test_every_classic_signal_has_its_number(number: int) -> None:
    assert exit_code(f"Command terminated with signal {signal.strsignal(number)}") == 128 + number


def test_a_signal_with_another_name_has_no_number() -> None:
    for name in ("Real-time signal 4", "User defined signal 1", "User defined signal 2"):
        assert exit_code(f"Command terminated with signal {name}") is None


@pytest.mark.parametrize(
    ("delay", "held"),
    [
        ({"timeLeftSeconds": 13, "overdue": False}, True),
        ({"timeLeftSeconds": 0, "overdue": False}, False),
        ({"timeLeftSeconds": 0, "overdue": True}, False),
        ({}, False),
    ],
)
def test_a_launch_that_is_put_off_is_the_back_off(delay: dict[str, Any], held: bool) -> None:
    assert is_held_back({"delay": delay}) is held
    assert not is_held_back(None)


def test_the_recorded_back_off_is_one() -> None:
    assert is_held_back(queued("08-deployments/529"))
    assert not is_held_back(queued("08-deployments/531"))


def summary(*rows: tuple[str, int, int]) -> dict[str, Any]:
    listed = [{"reason": reason, "declined": declined, "processed": seen} for reason, declined, seen in rows]
    return {"processedOffersSummary": {"rejectSummaryLastOffers": listed}}


def test_reasons_of_refused_offers_come_most_frequent_first() -> None:
    found = unplaced(summary(("UnfulfilledConstraint", 1, 3), ("InsufficientMemory", 2, 2), ("AgentMaintenance", 0, 2)))
    assert found is not None
    assert found.kind is FailureKind.UNSCHEDULABLE
    assert found.message == (
        "no agent takes it: too little memory is free (InsufficientMemory, 2 of 3 offers); "
        "the placement excludes the agents (UnfulfilledConstraint, 1 of 3 offers)"
    )


def test_a_reason_of_a_later_marathon_is_shown_as_it_is() -> None:
    found = unplaced(summary(("InsufficientLuck", 1, 1)))
    assert found is not None
    assert "InsufficientLuck (InsufficientLuck, 1 of 1 offers)" in found.message


@pytest.mark.parametrize(
    "item",
    [None, {}, summary(), summary(("InsufficientCpus", 0, 3)), queued("02-create/030"), queued("08-deployments/529")],
)
def test_without_a_refused_offer_there_is_no_problem(item: dict[str, Any] | None) -> None:
    assert unplaced(item) is None


@pytest.mark.parametrize(
    ("refused", "counts"),
    [
        ("2026-11-25T08:52:00.622Z", False),
        ("2026-11-25T08:52:00.623Z", False),  # both are cut to milliseconds: in the same one the order is not known
        ("2026-11-25T08:52:00.624Z", True),
    ],
)
def test_an_offer_counts_that_was_refused_after_the_instance_was_wanted(refused: str, counts: bool) -> None:
    item = summary(("InsufficientCpus", 3, 3))
    item["since"] = "2026-11-25T08:52:00.623Z"
    item["processedOffersSummary"]["lastUnusedOfferAt"] = refused
    assert (unplaced(item) is not None) is counts
