"""The ``backends.marathon`` block: what is taken, and what is refused with a sentence that helps."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.plan import Policy
from orchctl_marathon.options import Options, check_options, options_of
from tests.unit.marathon.sample import FULL, sample

GOOD: dict[str, list[Any]] = {
    "command": [["sleep", "1"], ("x",)],
    "containerizer": ["docker", "mesos"],
    "network": ["host", "bridge", "dcos", "a.b_c-1"],
    "fetch": [[], [{"uri": "http://files/x"}], [{"uri": "u", "extract": False, "executable": True, "cache": True}]],
    "accepted_resource_roles": [["*"], ["web", "*"]],
    "role": ["web"],
    "disk": [0, 512],
    "gpus": [0, 1],
    "kill_selection": ["YOUNGEST_FIRST", "OLDEST_FIRST"],
    "unreachable": ["disabled", {"inactive_after": 0, "expunge_after": 0}, {"inactive_after": 1, "expunge_after": 2}],
    "groups": [{}, {"zone": 3}],
    "load_balancer": ["marathon-lb"],
    "secrets_plugin": [True, False],
    "init": [True, False],
    "privileged": [True],
    "force_pull": [True],
    "patch": [{}, {"maxLaunchDelaySeconds": 60}, {"labels": {"a": "b"}}, {"labels": {"a": None}}],
}
BAD: dict[str, list[tuple[Any, str]]] = {
    "command": [
        ("sleep 1", "list of texts"),
        ([1], "list of texts"),
        ([""], "list of texts"),
        (None, "list of texts"),
    ],
    "containerizer": [("podman", "docker, mesos"), (None, "docker, mesos"), (True, "docker, mesos")],
    "network": [("", "name"), ("a b", "name"), (7, "name"), (["host"], "name"), ("-x", "name")],
    "fetch": [
        ("http://x", "list of mappings"),
        ([7], "needs a uri"),
        ([{}], "needs a uri"),
        ([{"uri": ""}], "needs a uri"),
        ([{"uri": 7}], "'uri'"),
        ([{"uri": "u", "extract": "yes"}], "'extract'"),
        ([{"uri": "u", "mode": "0644"}], "'mode'"),
    ],
    "accepted_resource_roles": [("*", "list of texts"), ([1], "list of texts")],
    "role": [("", "a text"), (7, "a text"), (None, "a text")],
    "disk": [(-1, "whole number"), (1.5, "whole number"), (True, "whole number"), ("1", "whole number")],
    "gpus": [(-1, "whole number"), (True, "whole number")],
    "kill_selection": [("youngest", "OLDEST_FIRST"), (1, "OLDEST_FIRST")],
    "unreachable": [
        ("never", "disabled"),
        ({}, "inactive_after"),
        ({"inactive_after": 1}, "expunge_after"),
        ({"inactive_after": 1, "expunge_after": -1}, "in seconds"),
        ({"inactive_after": 1, "expunge_after": True}, "in seconds"),
        ({"inactive_after": 1, "expunge_after": 2, "x": 3}, "in seconds"),
        ({"inactive_after": 3, "expunge_after": 2}, "may not be above"),
    ],
    "groups": [(3, "{zone: 3}"), ({"zone": 0}, "{zone: 3}"), ({"zone": "3"}, "{zone: 3}"), (["zone"], "{zone: 3}")],
    "load_balancer": [("haproxy", "marathon-lb"), (True, "marathon-lb"), ("", "marathon-lb")],
    "secrets_plugin": [("yes", "true or false"), (1, "true or false")],
    "init": [("no", "true or false"), (None, "true or false")],
    "privileged": [(0, "true or false")],
    "force_pull": [("Always", "true or false")],
    "patch": [
        ([], "must be a mapping"),
        ("x", "must be a mapping"),
        ({"id": "/x"}, "may not change id"),
        ({"instances": 3}, "may not change instances"),
        ({"upgradeStrategy": None}, "may not change upgradeStrategy"),
        ({"version": "x", "versionInfo": {}}, "may not change version, versionInfo"),
        ({"labels": None}, "may not change labels"),
        ({"labels": {"orchctl.dev/name": "x"}}, "labels.orchctl.dev/name"),
    ],
}


def problems(**options: Any) -> list[str]:
    found = list(check_options(sample(backends={"marathon": options})))
    assert {i.policy for i in found} <= {Policy.REJECT}
    return [f"{i.path}: {i.message}" for i in found]


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in GOOD.items() for v in values])
def test_an_option_of_its_type_is_taken(name: str, value: Any) -> None:
    assert problems(**{name: value}) == []


@pytest.mark.parametrize(("name", "value", "words"), [(n, v, w) for n, values in BAD.items() for v, w in values])
def test_an_option_of_another_type_is_refused_with_what_it_must_be(name: str, value: Any, words: str) -> None:
    (said,) = problems(**{name: value})
    assert said.startswith(f"backends.marathon.{name}: ")
    assert words in said


def test_every_option_is_tried_here() -> None:
    known = set(Options.__dataclass_fields__)
    assert set(GOOD) == set(BAD) == known


def test_an_unknown_option_names_the_known_ones() -> None:
    (said,) = problems(netwrok="host")
    assert said.startswith("backends.marathon.netwrok: unknown option; Marathon knows ")
    assert all(name in said for name in Options.__dataclass_fields__)


def test_every_wrong_one_is_told_at_once() -> None:
    assert len(problems(disk="x", gpus="y", role=7)) == 3


def test_the_manager_label_cannot_be_patched_away() -> None:
    """It is one of the three by which an app is known to be ours."""
    (said,) = problems(patch={"labels": {"app.kubernetes.io/managed-by": None}})
    assert "may not change labels.app.kubernetes.io/managed-by" in said


def test_options_that_are_absent_have_their_defaults_and_lists_become_tuples() -> None:
    assert options_of(sample()) == Options()
    assert options_of(FULL).accepted_resource_roles == ("*",)
    assert options_of(FULL).fetch == ({"uri": "http://files/x.tgz", "dest_path": "x"},)


def test_a_record_of_a_later_version_is_read_without_what_only_that_one_knows() -> None:
    assert options_of(sample(backends={"marathon": {"disk": 5, "from_later": 1}})) == Options(disk=5)
