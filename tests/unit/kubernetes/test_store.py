"""Entries of the store as Secrets and Leases. The store's own rules are proven by the contract on a real cluster."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchctl.errors import AlreadyExists, NotFound, StalePlan
from orchctl_kubernetes.failures import NamespaceMissing
from orchctl_kubernetes.store import META, ObjectStore, is_entry, object_name
from tests.unit.kubernetes.cluster import Cluster, cluster, connect

RECORD, LEASE = "shop/web/r/3", "shop/web/lease"
SECRET_PATH = "/api/v1/namespaces/shop/secrets/orchctl.web.r.3"
LEASE_PATH = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/orchctl.web.lease"
HELD = {"token": "7", "user": "ann", "host": "build-1", "pid": "42", "ttl_ms": "30500"}


@pytest.fixture
def world() -> Iterator[Cluster]:
    with cluster("shop", "other") as found:
        yield found


@pytest.fixture
def store(world: Cluster, tmp_path: Path) -> ObjectStore:
    return ObjectStore(connect(world, tmp_path), create_namespace=False)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("shop/web/r/3", "orchctl.web.r.3"),
        ("shop/web/lease", "orchctl.web.lease"),
        ("shop/web.x-1/a.b", "orchctl.web.x-1.a.b"),
    ],
)
def test_an_object_is_called_as_its_key_where_that_is_a_name(key: str, name: str) -> None:
    assert object_name(key) == name


@pytest.mark.parametrize(
    "key", ["shop/web/A", "shop/web/a_b", "shop/web/-a", "shop/web//a", "shop/web/" + "x" * 300, "shop/web/ä"]
)
def test_any_other_key_is_hashed_into_a_name_of_its_own(key: str) -> None:
    assert re.fullmatch(r"orchctl\.[0-9a-f]{32}", object_name(key))
    assert object_name(key) != object_name(key + "b")


def test_a_record_is_a_secret_of_our_own_type_found_by_its_service(store: ObjectStore, world: Cluster) -> None:
    store.create(RECORD, b"\0body", {"status": "pending"})
    made = world.objects[SECRET_PATH]
    assert made["type"] == "orchctl.dev/entry.v1"
    assert base64.b64decode(made["data"]["body"]) == b"\0body"
    assert made["metadata"]["labels"]["orchctl.dev/store.service"] == "web"
    assert is_entry(made)


def test_an_entry_is_read_back_as_it_was_written(store: ObjectStore) -> None:
    made = store.create(RECORD, b"\0body", {"status": "pending"})
    assert (made.key, made.body, made.meta) == (RECORD, b"\0body", {"status": "pending"})
    assert store.get(RECORD) == made
    assert store.get("shop/web/r/4") is None


def test_the_body_of_a_lease_is_kept_beside_it(store: ObjectStore) -> None:
    assert store.create(LEASE, b"body", HELD).body == b"body"
    assert store.create("shop/api/lease", b"", HELD).body == b""


def test_what_exists_already_is_refused_by_its_key(store: ObjectStore) -> None:
    store.create(RECORD, b"", {})
    with pytest.raises(AlreadyExists, match="shop/web/r/3 exists already"):
        store.create(RECORD, b"", {})


def test_a_change_moves_the_version_and_leaves_the_body(store: ObjectStore) -> None:
    made = store.create(RECORD, b"body", {"a": "1", "b": "1"})
    changed = store.update(RECORD, {"a": "2"}, expect=made.version)
    assert (changed.meta, changed.body) == ({"a": "2"}, b"body")
    assert changed.version != made.version
    assert store.get(RECORD) == changed


def test_a_change_on_what_has_moved_is_refused(store: ObjectStore) -> None:
    made = store.create(RECORD, b"", {})
    store.update(RECORD, {"a": "1"}, expect=made.version)
    with pytest.raises(StalePlan, match=RECORD):
        store.update(RECORD, {"a": "2"}, expect=made.version)
    with pytest.raises(StalePlan, match=RECORD):
        store.delete(RECORD, expect=made.version)


def test_an_entry_made_anew_under_the_same_key_is_another_one(store: ObjectStore) -> None:
    first = store.create(RECORD, b"", {})
    store.delete(RECORD, expect=first.version)
    second = store.create(RECORD, b"", {})
    number = second.version.partition("/")[2]
    with pytest.raises(StalePlan):
        store.update(RECORD, {}, expect=f"{first.version.partition('/')[0]}/{number}")


def test_a_change_on_what_is_gone_says_so_and_a_removal_does_not_mind(store: ObjectStore) -> None:
    made = store.create(RECORD, b"", {})
    store.delete(RECORD, expect=made.version)
    store.delete(RECORD, expect=made.version)
    with pytest.raises(NotFound, match=RECORD):
        store.update(RECORD, {}, expect=made.version)


def test_a_removal_names_identity_and_version(store: ObjectStore, world: Cluster) -> None:
    made = store.create(RECORD, b"", {})
    store.delete(RECORD, expect=made.version)
    uid, _, version = made.version.partition("/")
    assert world.writes[-1][2]["preconditions"] == {"uid": uid, "resourceVersion": version}


def test_a_held_lease_shows_its_holder_and_a_released_one_none(store: ObjectStore, world: Cluster) -> None:
    made = store.create(LEASE, b"", HELD)
    spec = world.objects[LEASE_PATH]["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("ann@build-1/42", 30)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec["renewTime"])
    store.update(LEASE, {"token": ""}, expect=made.version)
    assert world.objects[LEASE_PATH]["spec"] == {}


def test_a_renewed_lease_is_shown_to_be(store: ObjectStore, world: Cluster) -> None:
    made = store.create(LEASE, b"", HELD)
    before = world.objects[LEASE_PATH]["spec"]["renewTime"]
    store.update(LEASE, HELD | {"renewed": "1"}, expect=made.version)
    assert world.objects[LEASE_PATH]["spec"]["renewTime"] > before


@pytest.mark.parametrize(("ttl", "shown"), [("500", 1), ("60000", 60), ("", 60), ("soon", 60)])
def test_a_lease_lasts_a_second_at_least(store: ObjectStore, world: Cluster, ttl: str, shown: int) -> None:
    store.create(LEASE, b"", HELD | {"ttl_ms": ttl})
    assert world.objects[LEASE_PATH]["spec"]["leaseDurationSeconds"] == shown


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("shop/web/", ["shop/web/lease", "shop/web/r/1", "shop/web/r/2"]),
        ("shop/web/r/", ["shop/web/r/1", "shop/web/r/2"]),
        ("shop/web/lease", ["shop/web/lease"]),
        ("shop/", ["shop/api/r/1", "shop/web/lease", "shop/web/r/1", "shop/web/r/2"]),
        ("other/web/", ["other/web/r/1"]),
        ("shop/w", ["shop/web/lease", "shop/web/r/1", "shop/web/r/2"]),
    ],
)
def test_entries_are_listed_by_prefix_in_order(store: ObjectStore, prefix: str, keys: list[str]) -> None:
    for key in ("shop/web/r/2", "shop/web/lease", "shop/web/r/1", "shop/api/r/1", "other/web/r/1"):
        store.create(key, b"", {})
    assert [e.key for e in store.list(prefix)] == keys


@pytest.mark.parametrize(("prefix", "requests"), [("shop/web/", 2), ("shop/web/r/", 1), ("shop/", 2)])
def test_a_list_takes_two_requests_at_the_most(store: ObjectStore, world: Cluster, prefix: str, requests: int) -> None:
    for number in range(5):
        store.create(f"shop/web/r/{number}", b"", {})
    before = len(world.server.seen)
    assert len(store.list(prefix)) == 5
    assert len(world.server.seen) - before == requests


@pytest.mark.parametrize(
    "spoilt",
    [
        {"metadata": {"annotations": None}},
        {"metadata": {"annotations": {META: None}}},
        {"metadata": {"annotations": {META: "{"}}},
        {"metadata": {"annotations": {META: "[1]"}}},
        {"data": {"body": "not base64"}},
    ],
    ids=str,
)
def test_an_entry_that_somebody_has_spoilt_is_none(store: ObjectStore, world: Cluster, spoilt: dict[str, Any]) -> None:
    store.create(RECORD, b"x", {})
    store.create("shop/web/r/4", b"", {})
    world.change(SECRET_PATH, spoilt)
    assert store.get(RECORD) is None
    assert [e.key for e in store.list("shop/web/")] == ["shop/web/r/4"]


def test_an_object_of_that_name_with_another_key_is_not_the_entry(store: ObjectStore, world: Cluster) -> None:
    store.create(RECORD, b"x", {})
    world.change(SECRET_PATH, {"metadata": {"annotations": {"orchctl.dev/key": "shop/web/r/9"}}})
    assert store.get(RECORD) is None


def test_a_namespace_that_is_missing_is_named_and_not_made(store: ObjectStore, world: Cluster) -> None:
    with pytest.raises(NamespaceMissing) as caught:
        store.create("absent/web/lease", b"", HELD)
    assert (caught.value.namespace, "--create-namespace" in caught.value.hint) == ("absent", True)
    assert "absent" not in world.namespaces


def test_a_namespace_that_is_missing_is_made_where_that_is_allowed(world: Cluster, tmp_path: Path) -> None:
    store = ObjectStore(connect(world, tmp_path), create_namespace=True)
    assert store.create("absent/web/lease", b"", HELD).key == "absent/web/lease"
    assert "absent" in world.namespaces
    assert len(world.writes) == 3
    store.create("absent/api/lease", b"", HELD)
    assert len(world.writes) == 4
