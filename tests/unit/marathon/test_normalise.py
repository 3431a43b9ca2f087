"""What Marathon adds is no drift; what somebody else changes is, in the spec's words."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.diff import diff
from orchctl.core.document import document_of
from orchctl.core.service import Health, Operator, Placement, Requirement, Service
from orchctl_marathon import normalise, translate
from orchctl_marathon.canonical import carry_service_ports
from orchctl_marathon.deployments import is_of_our_definition
from orchctl_marathon.names import INTENT
from tests.unit.marathon.sample import FULL, HTTP, live, process, sample

App = dict[str, Any]

EVERY = {
    "full": FULL,
    "small": sample(),
    "process": process(),
    "health": sample(health=Health(ready=HTTP)),
    "mesos": sample(backends={"marathon": {"containerizer": "mesos"}}),
    "network": sample(backends={"marathon": {"network": "overlay"}}),
    "without": process(ports=()),
    "empty variable": sample(env={"EMPTY": ""}),
}


def changes(before: App, after: App) -> list[tuple[str, Any, Any]]:
    found = diff(normalise.document(before), normalise.document(after), restarts=lambda _path: True)
    return [(c.path, c.before, c.after) for c in found]


@pytest.mark.parametrize("service", EVERY.values(), ids=EVERY)
def test_what_marathon_fills_in_is_no_difference(service: Service) -> None:
    assert normalise.document(live(service)) == normalise.document(translate.app(service))
    assert normalise.is_as_written(live(service))


@pytest.mark.parametrize("service", EVERY.values(), ids=EVERY)
def test_the_document_is_the_specs(service: Service) -> None:
    expected = document_of(service)
    if "backends" in expected:
        expected["backends"].pop("swarm", None)
    found = normalise.document(live(service))
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(expected))


def test_a_scale_shows_as_a_count_and_nothing_else() -> None:
    assert changes(live(FULL), live(FULL, instances=7)) == [("replicas", 4, 7)]
    assert normalise.is_as_written(live(FULL, instances=7))


def edited(change: Callable[[App], object]) -> App:
    app = copy.deepcopy(live(FULL))
    change(app)
    return app


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda a: a["env"].update(GREETING="two"), ("env.GREETING", "one", "two")),
        (lambda a: a["env"].pop("EMPTY"), ("env.EMPTY", "", None)),
        (lambda a: a["env"].update(ORCHCTL_FILE_0="Yg=="), None),
        (lambda a: a.update(mem=65), ("resources.memory", "64Mi", "65Mi")),
        (lambda a: a.update(cpus=0.5), ("resources.cpu", "250m", "500m")),
        (lambda a: a["container"]["docker"].update(image="web:2"), ("image", "web:1", "web:2")),
        (lambda a: a["labels"].update(team="x"), ("labels.team", "checkout", "x")),
        (lambda a: a.update(taskKillGracePeriodSeconds=9), ("stop.grace", "2.5s", "9s")),
        (
            lambda a: a.update(cmd="rm -rf /"),
            ("backends.marathon.native.cmd", None, "rm -rf /"),
        ),
        (
            lambda a: a["healthChecks"][0].update(maxConsecutiveFailures=9),
            ('backends.marathon.native["healthChecks.0.maxConsecutiveFailures"]', None, 9),
        ),
        (lambda a: a.pop("constraints"), ("backends.marathon.native.constraints", None, "(removed)")),
        (
            lambda a: a["resourceLimits"].update(mem="unlimited"),
            ("resources.limits.memory", "128Mi", "unlimited"),
        ),
        (lambda a: a.update(taskKillGracePeriodSeconds=None), ("stop.grace", "2.5s", None)),
        (lambda a: a.update(executor="/bin/theirs"), ("backends.marathon.native.executor", None, "/bin/theirs")),
    ],
)
def test_a_change_by_somebody_else_shows(
    change: Callable[[App], object], expected: tuple[str, Any, Any] | None
) -> None:
    app = edited(change)
    found = changes(live(FULL), app)
    assert len(found) == 1
    if expected:
        path, _, after = expected
        assert path.split("[")[0] in found[0][0]
        assert found[0][2] == after
    assert not normalise.is_as_written(app)


@pytest.mark.parametrize("note", ["", "{", "[]", '{"service": 1}', '{"service": {"name": 5}, "files": {}, "sized": 1}'])
def test_without_a_readable_note_everything_shows(note: str) -> None:
    app = edited(lambda a: a["labels"].update({INTENT: note}))
    found = {path.split(".")[0] for path, _, _ in changes(translate.app(Service(name="web", namespace="shop")), app)}
    assert {"env", "image", "labels", "resources"} <= found
    assert not normalise.is_as_written(app)


FEW = (Requirement(key="zone", values=("a",)), Requirement(key="rack", values=("b",)))
MANY = (*FEW, *(Requirement(key=key, op=Operator.EXISTS) for key in ("ssd", "gpu", "ups", "ssd")))


def test_what_marathon_keeps_as_a_set_has_no_order() -> None:
    """Five or more come back in the order of their hashes, and each of them once."""
    ready = sample(health=Health(ready=HTTP, live=replace(HTTP, path="/live")), placement=Placement(require=MANY))
    roles = replace(ready, backends={"marathon": {"accepted_resource_roles": ["b", "*", "a"]}})
    app = live(roles)
    app["constraints"] = [*reversed(app["constraints"][:-1])]
    app["acceptedResourceRoles"] = ["a", "b", "*"]
    app["readinessChecks"][0]["httpStatusCodesForReady"].reverse()
    assert normalise.is_as_written(app)
    assert changes(live(roles), app) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("constraints", [["zone", "LIKE", "a"], ["rack", "LIKE", "c"]]),
        ("constraints", [["zone", "LIKE", "a"]]),
        ("constraints", "none"),
        ("acceptedResourceRoles", ["a"]),
        ("acceptedResourceRoles", [1, None]),
    ],
)
def test_another_set_shows(key: str, value: Any) -> None:
    app = live(sample(placement=Placement(require=FEW)), **{key: value})
    assert not normalise.is_as_written(app)


def test_a_role_that_the_cluster_gives_is_no_difference() -> None:
    """Since 1.9 Marathon writes that of --mesos_role, or of an enforcing group, into every app."""
    assert changes(live(sample()), live(sample(), role="slave_public")) == []
    assert normalise.is_as_written(live(sample(), role="slave_public"))


@pytest.mark.parametrize("asked", ["web", "*"])
def test_another_role_than_the_one_asked_for_shows(asked: str) -> None:
    service = sample(backends={"marathon": {"role": asked}})
    assert normalise.is_as_written(live(service))
    assert not normalise.is_as_written(live(service, role="slave_public"))


def test_a_service_port_once_assigned_is_kept() -> None:
    whole = carry_service_ports(translate.app(sample()), live(sample()))
    assert whole["container"]["portMappings"][0]["servicePort"] == 10_000
    whole = carry_service_ports(translate.app(process()), live(process()))
    assert whole["portDefinitions"][0]["port"] == 10_000


def test_what_is_sent_back_is_without_what_marathon_adds() -> None:
    sent = normalise.definition_of(live(sample()))
    assert {"version", "versionInfo", "tasks", "deployments", "tasksRunning"} & set(sent) == set()
    assert sent["instances"] == 3


VERSION = "2026-11-23T07:05:50.085Z"
OURS = {"id": "d1", "version": VERSION, "affectedApps": ["/shop/web"], "affectedPods": []}


def test_the_deployment_that_put_our_definition_there_is_ours() -> None:
    assert is_of_our_definition(OURS, live(sample()))


@pytest.mark.parametrize(
    ("deployment", "app"),
    [
        (OURS | {"affectedApps": ["/shop/web", "/shop/db"]}, live(sample())),
        (OURS | {"affectedPods": ["/shop/pod"]}, live(sample())),
        (OURS | {"version": "2026-11-23T07:05:51.000Z"}, live(sample())),
        (OURS, live(sample(), mem=64)),
        (OURS, live(sample(), versionInfo={"lastConfigChangeAt": "2026-11-23T07:00:00.000Z"})),
    ],
    ids=["group", "pod", "another version", "changed by hand", "scaled by somebody"],
)
def test_every_other_deployment_is_not(deployment: App, app: App) -> None:
    assert not is_of_our_definition(deployment, app)
