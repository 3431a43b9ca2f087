"""Whatever answers at Consul's address about the catalog and the mesh: one of our errors, and nothing is written on the
strength of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

from orchctl.catalog.connect import ConnectClient
from orchctl.catalog.directory import ConsulDirectory
from orchctl.catalog.intentions import ConsulMesh
from orchctl.core.catalogs import Listing
from orchctl.core.endpoint import Endpoint
from orchctl.core.mesh import Rule
from orchctl.errors import OrchctlError, OutcomeUnknown, Unreachable
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Answered, Asked, Front, Strike, answering
from tests.servers.mutants import GONE, VALUES, changed, places
from tests.unit.catalog.support import target_of

OF_ANY_TYPE: tuple[Any, ...] = (GONE, *VALUES)
OWNER = ("shop", "web")
NODE = "orchctl-edge-n1"
ONE = Endpoint(service="web", instance="i1", host="10.0.0.1", port=80, port_name="http", node="n1", revision=3)
WANTED = [Listing(name="web", endpoint=ONE, tags=("a",))]
INTENTIONS = {
    "Kind": "service-intentions",
    "Name": "web",
    "Sources": [{"Name": "a", "Action": "allow", "Precedence": 9, "Type": "consul"}, {"Name": "*", "Action": "deny"}],
    "Meta": {
        "managed_by": "orchctl",
        "orchctl_cluster": "edge",
        "orchctl_namespace": "shop",
        "orchctl_service": "web",
    },
    "CreateIndex": 5,
    "ModifyIndex": 7,
}
STRANGE = "the answer is not what Consul says there; is this a Consul agent"
RULE = Rule(callers=("a",), only=True, expect="7")
# What is read of an answer: there another value is no answer. Elsewhere any value will do.
READ = {
    "/v1/health/state/any": ["", "0", "0/Node", "0/CheckID", "0/Notes", "0/ServiceID", "0/ServiceName"],
    "/v1/catalog/nodes": ["", "0", "0/Node", "0/Address", "0/ModifyIndex", "0/Meta", "0/Meta/external-node"],
    f"/v1/catalog/node-services/{NODE}": [
        "",
        "Services",
        *(f"Services/0{k}" for k in ("", "/ID", "/Service", "/Meta")),
    ],
    "/v1/health/service/web": [
        *("", "0", "0/Node", "0/Node/Node", "0/Node/Address", "0/Service", "0/Service/ID", "0/Service/Service"),
        *("0/Service/Address", "0/Service/Port", "0/Service/Tags", "0/Service/Tags/0", "0/Service/Weights"),
        *("0/Service/Weights/Passing", "0/Service/Meta", "0/Service/ModifyIndex", "0/Checks", "0/Checks/0"),
        *("0/Checks/0/CheckID", "0/Checks/0/Status", "0/Checks/0/Notes", "0/Checks/0/ModifyIndex"),
    ],
    "/v1/txn": ["", "Results", "Results/0", "Results/0/Node", "Results/0/Node/Node", "Results/0/Node/ModifyIndex"],
    "/v1/config/service-intentions/web": ["", "Kind", "Name", "Sources", "Sources/0", "Sources/0/Name", "Meta"],
    "/v1/catalog/connect/web": ["", "0", "0/ServiceName"],
    "/v1/connect/ca/roots": ["", "ActiveRootID"],
}


@pytest.fixture
def table(front: Front, server: FakeConsul, directory: ConsulDirectory) -> dict[str, Any]:
    """By path, what is answered about one entry, and about who may call."""
    kept: dict[str, Any] = {}

    def strike(asked: Asked, carry_out: Callable[[], Answered]) -> Answered:
        answer = carry_out()
        kept[asked.path] = json.loads(answer.body)
        return answer

    front.strike = strike
    directory.publish(OWNER, WANTED)
    for look in (directory.listed, directory.stray, lambda: directory.find("web")):
        look()
    kept["/v1/txn"]["Results"].sort(key=lambda result: "Node" not in result)
    kept["/v1/config/service-intentions/web"] = INTENTIONS
    kept["/v1/catalog/connect/web"] = [{"ServiceName": "web-proxy"}]
    kept["/v1/connect/ca/roots"] = {"ActiveRootID": "r"}
    assert {*kept} == {*READ}
    return kept


@pytest.fixture
def directory(front: Front) -> Iterator[ConsulDirectory]:
    with ConsulDirectory(target_of(front.url), "edge") as directory:
        yield directory


@pytest.fixture
def mesh(front: Front) -> Iterator[ConsulMesh]:
    mesh = ConsulMesh(lambda: ConnectClient(target_of(front.url)), front.url, "edge")
    yield mesh
    mesh.close()


def serving(table: Mapping[str, Any]) -> Strike:
    """Writes are said to be done."""
    headers = {"X-Consul-Index": "7"}

    def strike(asked: Asked, _carry_out: Callable[[], Answered]) -> Answered:
        body = table[asked.path] if asked.method == "GET" or asked.path == "/v1/txn" else True
        return Answered(200, json.dumps(body).encode(), headers)

    return strike


def actions(directory: ConsulDirectory, mesh: ConsulMesh) -> dict[str, list[Callable[[], object]]]:
    """Whatever asks for a path."""
    moved = [Listing(name="web", endpoint=Endpoint(**{**_fields(ONE), "host": "10.0.0.2"}))]
    more = [*WANTED, Listing(name="web", endpoint=Endpoint(**{**_fields(ONE), "instance": "i2"}))]
    publish = [
        lambda: directory.publish(OWNER, more),
        lambda: directory.publish(OWNER, moved),
        lambda: directory.publish(OWNER, WANTED),
        lambda: directory.publish(OWNER, ()),
    ]
    look = [directory.nodes_without_entries, directory.stray, lambda: directory.remove_nodes([NODE])]
    rules = [
        lambda: mesh.rule("shop", "web"),
        lambda: mesh.admit("shop", "web", ["b"], RULE),
        lambda: mesh.settle("shop", "web", ["b"], RULE),
    ]
    return {
        "/v1/health/state/any": [directory.listed, *publish],
        "/v1/catalog/nodes": [*look, *publish],
        f"/v1/catalog/node-services/{NODE}": [*look, publish[-1]],
        "/v1/health/service/web": [
            lambda: directory.find("web"),
            lambda: directory.changed("web", index=3, wait_s=1),
            *publish,
        ],
        "/v1/txn": publish,
        "/v1/config/service-intentions/web": rules,
        "/v1/catalog/connect/web": [lambda: mesh.has_proxy("web")],
        "/v1/connect/ca/roots": [mesh.obstacle],
    }


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in Endpoint.__dataclass_fields__}


@pytest.mark.parametrize("path", READ)
def test_every_place_of_an_answer_may_hold_anything(
    path: str, table: dict[str, Any], front: Front, directory: ConsulDirectory, mesh: ConsulMesh
) -> None:
    mutants = [(place, value) for place in places(table[path]) for value in OF_ANY_TYPE]
    assert len(mutants) > 5
    for place, value in mutants:
        front.strike = serving({**table, path: changed(table[path], place, value)})
        for act in actions(directory, mesh)[path]:
            with suppress(OrchctlError):
                act()


@pytest.mark.parametrize(("path", "place"), [(path, place) for path, read in READ.items() for place in read])
def test_what_is_read_of_an_answer_is_what_consul_says_or_unreachable(
    path: str, place: str, table: dict[str, Any], front: Front, directory: ConsulDirectory, mesh: ConsulMesh
) -> None:
    steps = tuple(int(step) if step.isdecimal() else step for step in place.split("/") if step)
    assert steps in places(table[path])
    front.strike = serving({**table, path: changed(table[path], steps, True)})
    with pytest.raises(Unreachable, match=STRANGE) as caught:
        actions(directory, mesh)[path][0]()
    assert isinstance(caught.value, OutcomeUnknown) is (path == "/v1/txn")


def test_a_number_that_is_none_is_not_counted_with(
    table: dict[str, Any], front: Front, directory: ConsulDirectory
) -> None:
    nodes, entries = table["/v1/catalog/nodes"], table["/v1/health/service/web"]
    for count in ("²", "x", "-1", "9" * 5000):
        front.strike = serving(
            table
            | {
                "/v1/catalog/nodes": changed(nodes, (0, "Meta", "orchctl-uses"), count),
                "/v1/health/service/web": changed(entries, (0, "Service", "Meta", "orchctl_revision"), count),
            }
        )
        assert [f.endpoint.revision for f in directory.find("web")] == [0]
        other = Listing(name="web", endpoint=Endpoint(**{**_fields(ONE), "instance": "i2"}))
        directory.publish(OWNER, [*WANTED, other])
        written = [step for asked in front.requests if asked.path == "/v1/txn" for step in json.loads(asked.body)]
        sent = [step for step in written if "Node" in step][-1]
        assert sent["Node"]["Node"]["Meta"]["orchctl-uses"] == "1"


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (b'"Port": 80', b'"Port": 1e999'),
        (b'"Port": 80', b'"Port": 80.0'),
        (b'"Service": "web"', b'"Service": "\\ud800"'),
        (b'"Checks": [', b'"Checks": [' + b"[" * 100_000),
    ],
)
def test_what_json_has_and_consul_has_not(
    table: dict[str, Any], front: Front, directory: ConsulDirectory, written: bytes, instead: bytes
) -> None:
    body = json.dumps(table["/v1/health/service/web"]).encode()
    assert written in body
    front.strike = answering(Answered(200, body.replace(written, instead)))
    with pytest.raises(Unreachable, match=STRANGE):
        directory.find("web")


def test_a_page_that_is_not_found_is_no_empty_catalog(front: Front, directory: ConsulDirectory) -> None:
    front.strike = answering(Answered(404, b"<h1>Not Found</h1>"))
    looks: list[Callable[[], object]] = [
        directory.listed,
        directory.stray,
        lambda: directory.find("web"),
        lambda: directory.publish(OWNER, ()),
    ]
    for look in looks:
        with pytest.raises(Unreachable, match=STRANGE):
            look()


def test_rows_that_nobody_asked_for_are_no_answer(
    table: dict[str, Any], front: Front, directory: ConsulDirectory
) -> None:
    """A proxy that drops the filter would show us the entries of everybody."""
    theirs = changed(table["/v1/catalog/nodes"], (0, "Meta"), {"orchctl-cluster": "other"})
    front.strike = serving({**table, "/v1/catalog/nodes": theirs})
    with pytest.raises(Unreachable, match=STRANGE):
        directory.stray()
    checks = changed(table["/v1/health/state/any"], (0, "CheckID"), "serfHealth")
    front.strike = serving({**table, "/v1/health/state/any": checks})
    with pytest.raises(Unreachable, match=STRANGE):
        directory.listed()


@pytest.mark.parametrize("errors", [None, [], [7], [{"OpIndex": 1e999, "What": "x"}], [{"OpIndex": 0, "What": None}]])
def test_a_refusal_that_says_nothing_leaves_the_outcome_unknown(
    table: dict[str, Any], front: Front, directory: ConsulDirectory, errors: Any
) -> None:
    refusal = json.dumps({"Results": None, "Errors": errors}).encode()

    def strike(asked: Asked, carry_out: Callable[[], Answered]) -> Answered | None:
        return Answered(409, refusal) if asked.path == "/v1/txn" else serving(table)(asked, carry_out)

    front.strike = strike
    with pytest.raises(OutcomeUnknown):
        directory.publish(OWNER, ())
