"""Lists by their keys, and which part of an object is ours."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl_kubernetes.canonical import canonical, leaves, owned
from tests.unit.kubernetes.observed import Raw


def live(fields: Any, *, manager: str = "orchctl", operation: str = "Apply", **spec: Any) -> Raw:
    entry = {"manager": manager, "operation": operation, "fieldsV1": fields}
    return {"kind": "Service", "metadata": {"name": "web", "managedFields": [entry]}, "spec": spec}


def test_items_of_a_list_are_found_by_their_keys_wherever_they_stand() -> None:
    a, b = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    containers = [[{"name": "web", "env": env}] for env in ([a, b], [b, a])]
    one, other = (canonical({"spec": {"template": {"spec": {"containers": c}}}}) for c in containers)
    assert one == other
    assert one["spec"]["template"]["spec"]["containers"]["web"]["env"]["B"] == b


@pytest.mark.parametrize("key", ["port", "containerPort"])
def test_a_port_is_known_by_number_and_protocol(key: str) -> None:
    ports = [{key: 53, "protocol": "UDP"}, {key: 53}]
    assert list(canonical({"spec": {"ports": ports}})["spec"]["ports"]) == ["53/UDP", "53/TCP"]


def test_a_list_without_keys_keeps_its_order() -> None:
    assert canonical({"spec": {"args": ["b", "a"], "tolerations": [{"key": "x"}]}})["spec"] == {
        "args": ["b", "a"],
        "tolerations": [{"key": "x"}],
    }


@pytest.mark.parametrize(("address", "headless"), [("None", True), ("10.96.0.1", False), (None, False)])
def test_of_a_services_address_it_counts_whether_there_is_one(address: str | None, headless: bool) -> None:
    spec = {"clusterIP": address, "clusterIPs": [address]} if address else {}
    assert canonical({"kind": "Service", "spec": spec})["spec"] == {"headless": headless}


def test_identity_and_status_say_nothing() -> None:
    metadata = {"name": "web", "uid": "u", "labels": {"a": "b"}, "annotations": {}}
    assert canonical({"metadata": metadata, "spec": {}, "status": {"replicas": 1}}) == {
        "metadata": {"labels": {"a": "b"}},
        "spec": {},
    }


def test_leaves_are_everything_that_is_no_mapping() -> None:
    found = list(leaves({"a": {"b": 1, "c": []}, "d": {}, "e": None}))
    assert found == [(("a", "b"), 1), (("a", "c"), []), (("e",), None)]


@pytest.mark.parametrize(
    ("fields", "spec", "ours"),
    [
        ({"f:type": {}}, {"type": "NodePort", "other": 1}, {"type": "NodePort"}),
        ({"f:selector": {}}, {"selector": {"a": "b"}}, {"selector": {"a": "b"}}),
        ({"f:gone": {}}, {}, {}),
        (
            {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}}},
            {"ports": [{"port": 81, "protocol": "TCP"}, {"port": 80, "protocol": "TCP", "name": "a", "nodePort": 3}]},
            {"ports": [{"port": 80, "protocol": "TCP", "name": "a"}]},
        ),
        ({"f:hosts": {'v:"a"': {}, 'v:"gone"': {}}}, {"hosts": ["b", "a"]}, {"hosts": ["a"]}),
        ({"f:labels": {".": {}, "f:a": {}}}, {"labels": {"a": 1, "b": 2}}, {"labels": {"a": 1}}),
        ({"f:labels": {".": {}}}, {"labels": {"b": 2}}, {"labels": {}}),
    ],
)
def test_ours_is_what_our_apply_has_set_and_what_is_still_there(fields: Raw, spec: Raw, ours: Raw) -> None:
    assert owned(live({"f:spec": fields}, **spec)) == {"kind": "Service", "spec": ours}


@pytest.mark.parametrize(
    "found",
    [
        {"kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "NodePort"}},
        live({"f:spec": {"f:type": {}}}, manager="helm", type="NodePort"),
        live({"f:spec": {"f:type": {}}}, operation="Update", type="NodePort"),
        live(None, type="NodePort"),
    ],
    ids=["no fields", "another manager", "an update", "nothing"],
)
def test_what_we_did_not_apply_is_not_ours(found: Raw) -> None:
    assert owned(found) == {"kind": "Service"}
