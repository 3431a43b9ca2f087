"""Entries as they are written, and as they are read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.catalog.entries import check_prefix, entries, found, is_of, node_body, node_prefix, notes_of, owner_of
from orchctl.catalog.policy import policy
from orchctl.catalog.services import _literal
from orchctl.core.catalogs import Listing
from orchctl.core.context import Catalog, Context
from orchctl.core.endpoint import Endpoint
from orchctl.core.service import Probe, ProbeKind, Protocol
from orchctl.errors import ConfigError

OWNER = ("shop", "web")
ONE = Endpoint(service="web", instance="i1", host="10.0.0.1", port=8080, port_name="http", node="n.1", revision=3)


def listing(endpoint: Endpoint = ONE, **more: object) -> Listing:
    return Listing(name="web", endpoint=endpoint, **more)  # type: ignore[arg-type]


def test_an_entry_is_a_service_of_a_node_that_is_in_the_catalog_alone() -> None:
    [entry] = entries("edge", OWNER, [listing(tags=("a",))])
    assert (entry.node, entry.service["ID"]) == ("orchctl-edge-n-1", "shop-web-i1-http")
    assert node_body("edge", entry, None)["Meta"] == {
        "external-node": "true",
        "external-probe": "false",
        "orchctl-cluster": "edge",
        "orchctl-uses": "1",
    }
    assert entry.check["Definition"] == {"TCP": "10.0.0.1:8080", "Interval": "5000ms", "Timeout": "2000ms"}
    assert notes_of(entry.check)["written"] == entry.fingerprint


def test_a_node_of_the_whole_service_may_be_pinged_until_an_instance_is_put_there() -> None:
    [whole] = entries("edge", OWNER, [listing(replace(ONE, instance=""))])
    body = node_body("edge", whole, None)
    assert body["Meta"]["external-probe"] == "true"
    [one] = entries("edge", OWNER, [listing()])
    later = node_body("edge", one, body | {"ModifyIndex": 7})
    assert later == body | {"ModifyIndex": 7, "Meta": body["Meta"] | {"external-probe": "false", "orchctl-uses": "2"}}


@pytest.mark.parametrize(
    ("ready", "weight", "status"), [(True, 5, "passing"), (False, 5, "critical"), (True, 0, "critical")]
)
def test_what_shall_have_no_traffic_is_critical(ready: bool, weight: int, status: str) -> None:
    [entry] = entries("edge", OWNER, [listing(replace(ONE, ready=ready, weight=weight))])
    assert entry.check["Status"] == status
    assert entry.service["Weights"] == {"Passing": max(1, weight), "Warning": 1}


def test_every_address_has_an_entry_of_its_own_whatever_the_order() -> None:
    whole = [replace(ONE, instance="", node="", host=f"10.0.0.{n}") for n in (1, 2)]
    udp = replace(ONE, protocol=Protocol.UDP)
    wanted = [listing(e) for e in (*whole, udp, ONE)]
    made = entries("edge", OWNER, wanted)
    assert len({entry.place for entry in made}) == 4
    assert made == entries("edge", OWNER, wanted[::-1])
    assert {entry.service["ID"] for entry in made if entry.node == "orchctl-edge-cluster"} == {
        "shop-web-all-http",
        "shop-web-all-http-10.0.0.2",
    }


def test_nobody_is_asked_to_check_what_cannot_be_checked() -> None:
    [udp] = entries("edge", OWNER, [listing(replace(ONE, protocol=Protocol.UDP))])
    assert (udp.check["Definition"], udp.service["Tags"]) == ({}, ["udp"])
    http = Probe(kind=ProbeKind.HTTP, path="/up", port="http", interval_ms=200)
    [v6] = entries("edge", OWNER, [listing(replace(ONE, host="fd00::1"), probe=http)])
    assert v6.check["Definition"]["HTTP"] == "http://[fd00::1]:8080/up"
    assert v6.check["Definition"]["Interval"] == "200ms"


def test_any_change_changes_the_fingerprint() -> None:
    variants = [
        listing(),
        listing(tags=("b",)),
        listing(replace(ONE, port=81)),
        listing(replace(ONE, ready=False)),
        listing(replace(ONE, revision=4)),
        listing(probe=Probe(kind=ProbeKind.HTTP, path="/", port="http")),
    ]
    assert len({entries("edge", OWNER, [one])[0].fingerprint for one in variants}) == len(variants)


def test_what_was_written_is_read_back() -> None:
    [entry] = entries("edge", OWNER, [listing(tags=("a",))])
    answer = {"Node": {"Node": entry.node, "Address": "9.9.9.9"}, "Service": entry.service, "Checks": [entry.check]}
    read = found(answer)
    assert (read.cluster, read.namespace, read.tags) == ("edge", "shop", ("a",))
    assert read.endpoint == ONE
    assert owner_of(entry.service, "edge") == OWNER
    assert owner_of(entry.service, "other") is None
    assert is_of(entry.service, OWNER)
    assert not is_of(entry.service, ("lab", "web"))


def test_a_foreign_entry_is_nobody_of_ours_even_when_it_looks_alike() -> None:
    meta = {"orchctl_cluster": "edge", "orchctl_namespace": "shop", "orchctl_service": "web"}
    service = {"ID": "x", "Service": "web", "Port": 0, "Meta": meta}
    read = found({"Node": {"Node": "n", "Address": "9.9.9.9"}, "Service": service, "Checks": []})
    assert (read.cluster, read.endpoint.service, read.endpoint.host, read.endpoint.instance) == ("", "", "9.9.9.9", "x")
    assert owner_of(service, "edge") is None
    assert not is_of(service, OWNER)
    assert notes_of({"Notes": '{"managed_by": "somebody"}'}) == notes_of({"Notes": "["}) == notes_of({}) == {}


def test_a_clusters_name_is_taken_literally_in_a_filter() -> None:
    assert _literal(check_prefix("a.b-c_d")) == "orchctl:a[.]b-c_d:"
    assert node_prefix("a.b_c") == "orchctl-a-b-c-"


def test_a_policy_has_no_more_than_the_context_uses(tmp_path: Path) -> None:
    catalog = Catalog(name="main", kind="consul", settings={"consul": "http://h"})
    context = Context(name="a", backend="fake", state_dir=tmp_path, cluster="edge", catalog=catalog)
    assert "key_prefix" not in policy(context, ["web"])
    assert 'service "web" { policy = "write" }' in policy(context, ["web"])
    assert 'service_prefix "" { policy = "write" }' in policy(context, [])
    assert 'key_prefix "orchctl/edge/" { policy = "write" }' in policy(replace(context, store="consul"), [])
    mesh = replace(context, catalog=replace(catalog, settings={"consul": "http://h", "mesh": True}))
    assert 'service "web" { policy = "write" intentions = "write" }' in policy(mesh, ["web"])
    with pytest.raises(ConfigError, match="has no catalog with a Consul"):
        policy(replace(context, catalog=None), [])
