"""Constraints judged as the scheduler judges them."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl_swarm.placement import meets, none_meets

NODE: dict[str, Any] = {
    "ID": "n1",
    "Spec": {"Role": "manager", "Availability": "active", "Labels": {"zone": "Attic"}},
    "Description": {
        "Hostname": "m1",
        "Platform": {"OS": "linux", "Architecture": "x86_64"},
        "Engine": {"Labels": {"disk": "ssd"}},
    },
    "Status": {"State": "ready", "Addr": "10.0.0.5"},
}


@pytest.mark.parametrize(
    ("constraint", "met"),
    [
        ("node.role==manager", True),
        ("node.role==worker", False),
        ("node.hostname != m1", False),
        ("node.labels.zone==attic", True),
        ("node.labels.zone!=attic", False),
        ("node.labels.absent==x", False),
        ("node.labels.absent!=x", True),
        ("engine.labels.disk==ssd", True),
        ("node.platform.os==windows", False),
        ("node.ip==10.0.0.0/24", True),
        ("node.ip==10.0.1.0/24", False),
        ("node.something.new==x", True),
        ("not a constraint", True),
    ],
)
def test_a_constraint_is_met_or_not(constraint: str, met: bool) -> None:
    assert meets(constraint, NODE) is met


def test_one_node_must_meet_all_of_them() -> None:
    assert not none_meets(["node.role==manager", "node.labels.zone==attic"], [NODE])
    assert none_meets(["node.role==manager", "node.labels.zone==cellar"], [NODE])


def test_without_constraints_there_is_nothing_to_meet() -> None:
    assert not none_meets([], [])


@pytest.mark.parametrize("change", [{"Status": {"State": "down"}}, {"Spec": NODE["Spec"] | {"Availability": "drain"}}])
def test_a_node_that_takes_no_tasks_does_not_count(change: dict[str, Any]) -> None:
    assert none_meets(["node.role==manager"], [NODE | change])
