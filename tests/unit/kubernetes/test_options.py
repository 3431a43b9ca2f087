"""What only Kubernetes has: each option is checked, and a patch cannot take what orchctl lives by."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.plan import Policy
from orchctl_kubernetes.options import ACCESS_MODES, PULL_POLICIES, Options, check_options, is_readable, options_of
from tests.unit.kubernetes.sample import FULL, sample

GOOD: list[tuple[str, Any]] = [
    ("service_account", "web.prod"),
    ("image_pull_secrets", ["a", "b"]),
    ("image_pull_secrets", ()),
    *(("image_pull_policy", word) for word in PULL_POLICIES),
    ("headless", False),
    ("node_labels", {"zone": "topology.kubernetes.io/zone"}),
    ("disruption_budget", {"min_available": 0}),
    ("disruption_budget", {"max_unavailable": "100%"}),
    ("security_context", {"privileged": True}),
    ("pod_security_context", {}),
    ("tolerations", [{"key": "x"}]),
    ("priority_class", "system-node-critical"),
    ("storage_class", "fast"),
    *(("access_mode", word) for word in ACCESS_MODES),
    ("patch", {"spec": {"template": {"spec": {"hostNetwork": True}}}}),
    ("service_patch", {"metadata": {"annotations": {"x": "y"}}}),
]
BAD: list[tuple[str, Any, str]] = [
    ("service_acount", "x", "unknown option"),
    ("service_account", "", "name of an object"),
    ("service_account", "My Account", "name of an object"),
    ("service_account", 7, "name of an object"),
    ("image_pull_secrets", "a", "list of names"),
    ("image_pull_secrets", ["a", "B"], "list of names"),
    ("image_pull_policy", "always", "one of Always"),
    ("image_pull_policy", ["Always"], "one of Always"),
    ("headless", "yes", "true or false"),
    ("headless", 1, "true or false"),
    ("node_labels", ["zone"], "must map"),
    ("node_labels", {"zone": ""}, "must map"),
    ("node_labels", {"zone": 1}, "must map"),
    ("disruption_budget", 1, "exactly one of"),
    ("disruption_budget", {}, "exactly one of"),
    ("disruption_budget", {"min_available": 1, "max_unavailable": 1}, "exactly one of"),
    ("disruption_budget", {"minAvailable": 1}, "exactly one of"),
    ("disruption_budget", {"min_available": "1"}, "count such as"),
    ("disruption_budget", {"min_available": -1}, "count such as"),
    ("disruption_budget", {"min_available": True}, "count such as"),
    ("disruption_budget", {"min_available": 1.5}, "count such as"),
    ("security_context", ["x"], "a mapping"),
    ("pod_security_context", "x", "a mapping"),
    ("tolerations", {"key": "x"}, "list of mappings"),
    ("tolerations", ["x"], "list of mappings"),
    ("priority_class", "High", "name of an object"),
    ("storage_class", None, "name of an object"),
    ("access_mode", "RWO", "one of ReadWriteOnce"),
    ("patch", [], "a mapping"),
    ("service_patch", "spec: {}", "a mapping"),
]
LABELS = "metadata.labels"
INNER_LABELS = "spec.template.metadata.labels"
GUARDED: list[tuple[dict[str, Any], str]] = [
    ({"apiVersion": "apps/v2"}, "apiVersion"),
    ({"kind": "StatefulSet"}, "kind"),
    ({"metadata": {"name": "x"}}, "metadata.name"),
    ({"metadata": {"namespace": "x"}}, "metadata.namespace"),
    ({"spec": {"replicas": 3}}, "spec.replicas"),
    ({"spec": {"replicas": None}}, "spec.replicas"),
    ({"spec": {"selector": {"matchLabels": {}}}}, "spec.selector"),
    ({"spec": {"paused": True}}, "spec.paused"),
    ({"metadata": {"labels": {"orchctl.dev/name": "x"}}}, LABELS),
    ({"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}, LABELS),
    ({"metadata": {"labels": None}}, LABELS),
    ({"metadata": {"annotations": {"orchctl.dev/intent": ""}}}, "metadata.annotations"),
    ({"spec": {"template": {"metadata": {"labels": {"orchctl.dev/template": "x"}}}}}, INNER_LABELS),
    ({"spec": {"template": {"metadata": None}}}, INNER_LABELS),
]


def problems(**options: Any) -> list[str]:
    found = list(check_options(sample(backends={"kubernetes": options})))
    assert {i.policy for i in found} <= {Policy.REJECT}
    assert [i.path for i in found] == [f"backends.kubernetes.{name}" for name in options][: len(found)]
    return [i.message for i in found]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_an_option_of_its_type_is_taken(name: str, value: Any) -> None:
    assert problems(**{name: value}) == []


@pytest.mark.parametrize(("name", "value", "words"), BAD)
def test_an_option_that_is_not_of_its_type_is_refused_with_what_it_should_be(name: str, value: Any, words: str) -> None:
    [message] = problems(**{name: value})
    assert words in message


def test_every_option_is_tried_above() -> None:
    assert {name for name, _ in GOOD} == {name for name, _, _ in BAD[1:]} == set(Options.__dataclass_fields__)


def test_an_unknown_option_is_answered_with_the_known_ones() -> None:
    [message] = problems(service_acount="x")
    assert all(name in message for name in Options.__dataclass_fields__)


@pytest.mark.parametrize("option", ["patch", "service_patch"])
@pytest.mark.parametrize(("patch", "path"), GUARDED)
def test_a_patch_cannot_take_what_orchctl_lives_by(option: str, patch: dict[str, Any], path: str) -> None:
    assert problems(**{option: patch}) == [f"may not change {path}"]


def test_a_patch_that_removes_everything_is_answered_with_all_that_it_takes() -> None:
    [message] = problems(patch={"metadata": None, "spec": None})
    assert all(path in message for path in ("metadata.name", "spec.selector", LABELS, INNER_LABELS))


@pytest.mark.parametrize(
    "patch",
    [
        {"metadata": {"labels": {"team": "x"}, "annotations": {"x": "y", "z": None}}},
        {"spec": {"template": {"metadata": {"labels": {"team": "x"}, "annotations": None}}}},
        {"spec": {"revisionHistoryLimit": 1, "template": {"spec": {"hostname": None}}}},
    ],
)
def test_a_patch_may_change_the_rest(patch: dict[str, Any]) -> None:
    assert problems(patch=patch) == []


def test_options_that_are_absent_have_their_defaults_and_lists_become_tuples() -> None:
    assert options_of(sample()) == Options()
    assert options_of(FULL).image_pull_secrets == ("registry",)
    assert options_of(FULL).tolerations == ({"key": "dedicated", "operator": "Exists"},)


def test_a_record_of_a_later_version_is_read_without_what_only_that_one_knows() -> None:
    recorded = sample(backends={"kubernetes": {"headless": True, "from_later": 1}})
    assert is_readable(recorded)
    assert options_of(recorded) == Options(headless=True)
    assert not is_readable(sample(backends={"kubernetes": {"patch": 7}}))
