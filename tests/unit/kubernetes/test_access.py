"""The Role that ``orchctl render rbac`` prints. That it is exactly what requests need is shown on a real cluster."""

from __future__ import annotations

from collections import Counter

import pytest

from orchctl_kubernetes.access import RIGHTS, Right, objects, rules
from orchctl_kubernetes.adapter import KubernetesBackend
from orchctl_kubernetes.resources import BY_KIND

READ, WRITE = {"get", "list"}, {"create", "patch", "delete"}


def test_an_account_a_role_and_what_binds_them_are_all_of_the_namespace() -> None:
    account, role, binding = (o.body for o in objects("shop"))
    assert [b["kind"] for b in (account, role, binding)] == ["ServiceAccount", "Role", "RoleBinding"]
    assert {b["metadata"]["namespace"] for b in (account, role, binding)} == {"shop"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "shop"}]
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == ("Role", role["metadata"]["name"])
    assert role["rules"] == rules()


def test_the_backend_gives_them_out() -> None:
    assert KubernetesBackend().access("shop") == objects("shop")


def test_nothing_of_the_whole_cluster_and_no_wildcard_is_asked_for() -> None:
    words = {word for rule in rules() for words in rule.values() for word in words}
    assert not words & {"*", "nodes", "namespaces", "persistentvolumes", "storageclasses", "clusterroles"}
    assert not words & {"update", "deletecollection", "watch", "escalate", "impersonate"}


@pytest.mark.parametrize("right", RIGHTS, ids=lambda r: r.words)
def test_a_right_names_one_resource_and_known_verbs_once(right: Right) -> None:
    assert set(right.verbs) <= READ | WRITE
    assert max(Counter(right.verbs).values()) == 1
    assert Counter(r.words for r in RIGHTS)[right.words] == 1


def test_every_kind_that_is_applied_may_be_made_and_changed() -> None:
    allowed = {r.resource: set(r.verbs) for r in RIGHTS if not r.sub}
    assert all(allowed[resource] >= {"create", "patch"} for resource in BY_KIND.values())


def test_claims_hold_data_and_may_not_be_deleted() -> None:
    assert ["delete" in r.verbs for r in RIGHTS if r.words == "persistentvolumeclaims"] == [False]


def test_a_group_is_named_as_rules_name_it() -> None:
    groups = {r["resources"][0]: r["apiGroups"] for r in rules()}
    assert groups["pods"] == [""]
    assert groups["deployments/scale"] == ["apps"]
    assert groups["leases"] == ["coordination.k8s.io"]
