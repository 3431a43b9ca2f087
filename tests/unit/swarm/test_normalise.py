"""The live definition in the spec's words: equal after a deploy, and every change by hand is seen."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from orchctl.core.diff import diff
from orchctl.core.document import document_of
from orchctl_swarm import names
from orchctl_swarm.adapter import SwarmBackend
from orchctl_swarm.normalise import document
from orchctl_swarm.translate import render
from tests.unit.swarm import golden
from tests.unit.swarm.sample import FULL, sample

BACKEND = SwarmBackend()
SENT: dict[str, Any] = json.loads(json.dumps(render(FULL)[-1].body))


def changed(path: str, value: Any) -> list[tuple[str, Any]]:
    """(path, live value) of every difference after ``value`` was put at ``path`` of the spec as sent."""
    live = copy.deepcopy(SENT)
    *parents, last = path.split("/")
    target = live
    for key in parents:
        target = target.setdefault(key, {})
    if value is None:
        target.pop(last)
    else:
        target[last] = value
    return [(c.path, c.after) for c in diff(document(SENT, {}), document(live, {}), restarts=BACKEND.restarts)]


def test_the_projected_document_is_the_services_own_with_empty_variables_shown() -> None:
    projected = dict(BACKEND.project(FULL))
    assert projected.pop("env") == {"GREETING": "one", "EMPTY": ""}
    assert projected == {k: v for k, v in document_of(FULL).items() if k != "env"}


def test_the_spec_as_the_engine_returns_it_gives_the_same_document() -> None:
    recorded = golden.read("live")
    assert document(recorded["service"]["Spec"], recorded["networks"]) == BACKEND.project(FULL)


CONTAINER = "TaskTemplate/ContainerSpec"


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("Mode/Replicated/Replicas", 5, ("replicas", 5)),
        ("Mode/Replicated/Replicas", 0, ("replicas", 0)),
        (f"{CONTAINER}/Image", "other:2", ("image", "other:2")),
        (
            f"{CONTAINER}/Env",
            ["GREETING=tampered", "EMPTY=", "PORT=8080", "PORT_ADMIN=9090", "PORT_HTTP=8080"],
            ("env.GREETING", "tampered"),
        ),
        (f"{CONTAINER}/Env", ["GREETING=one", "PORT=8080", "PORT_ADMIN=9090", "PORT_HTTP=8080"], ("env.EMPTY", None)),
        (f"{CONTAINER}/Args", ["x"], ("args", ["x"])),
        (f"{CONTAINER}/User", "root", ("user", "root")),
        (f"{CONTAINER}/StopGracePeriod", 5_000_000_000, ("stop.grace", "5s")),
        ("TaskTemplate/Resources/Limits/MemoryBytes", 128 << 20, ("resources.limits.memory", "128Mi")),
        ("Labels/team", "other", ("labels.team", "other")),
        ("Labels/added", "x", ("labels.added", "x")),
        (
            f"{CONTAINER}/CapabilityAdd",
            ["CAP_NET_ADMIN"],
            ("backends.swarm.native[TaskTemplate.ContainerSpec.CapabilityAdd]", ["CAP_NET_ADMIN"]),
        ),
        ("UpdateConfig/FailureAction", "rollback", ("backends.swarm.native[UpdateConfig.FailureAction]", "rollback")),
        (f"{CONTAINER}/Configs", None, None),
    ],
)
def test_a_change_by_hand_is_shown(path: str, value: Any, shown: tuple[str, Any] | None) -> None:
    found = changed(path, value)
    assert found
    assert shown is None or found == [shown]


@pytest.mark.parametrize("label", [names.REVISION, names.PAUSED])
def test_bookkeeping_labels_are_no_difference(label: str) -> None:
    live = copy.deepcopy(SENT)
    live["Labels"][label] = "7"
    assert document(live, {}) == document(SENT, {})


def test_scaling_by_hand_shows_the_count_alone_although_percentages_were_taken_of_another() -> None:
    assert changed("Mode/Replicated/Replicas", 9) == [("replicas", 9)]


@pytest.mark.parametrize("label", ["", "{}", "not json", '{"service": 3, "files": {}, "sized": 1}'])
def test_a_damaged_intent_shows_differences_and_does_not_fail(label: str) -> None:
    live = copy.deepcopy(SENT)
    live["Labels"][names.INTENT] = label
    assert document(live, {}) != document(SENT, {})


def test_an_option_of_a_later_version_in_the_intent_is_passed_over() -> None:
    live = copy.deepcopy(SENT)
    noted = json.loads(live["Labels"][names.INTENT])
    noted["service"].setdefault("backends", {}).setdefault("swarm", {})["tomorrow"] = True
    live["Labels"][names.INTENT] = json.dumps(noted)
    assert document(live, {})["image"] == document(SENT, {})["image"]


def test_policy_changes_restart_nothing_and_template_changes_do() -> None:
    assert not any(BACKEND.restarts(p) for p in ("replicas", "rollout.deadline", "labels.team", "needs.db", "provides"))
    assert not BACKEND.restarts("backends.swarm.native[UpdateConfig.Order]")
    assert not BACKEND.restarts("backends.local.command")
    assert all(
        BACKEND.restarts(p) for p in ("image", "env.A", "files[/x].content", "backends.swarm.init", "stop.grace")
    )
    assert BACKEND.restarts("backends.swarm.native[TaskTemplate.ContainerSpec.CapabilityAdd]")


def test_a_service_without_anything_round_trips() -> None:
    assert BACKEND.project(sample()) == document_of(sample())
