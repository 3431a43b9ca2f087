"""Intentions without a Consul: what stands in an entry, whose it is, and what a write keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from orchctl.catalog.connect import ConnectClient, Entry
from orchctl.catalog.failures import refused
from orchctl.catalog.intentions import ConsulMesh, mesh_of
from orchctl.core.check import Health
from orchctl.core.context import Catalog, Context
from orchctl.errors import AuthRefused, ConfigError, StalePlan, Unreachable
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Answered, Front, answering
from tests.unit.catalog.support import target_of

OURS = {
    "managed_by": "orchctl",
    "orchctl_cluster": "edge",
    "orchctl_namespace": "shop",
    "orchctl_service": "web",
}
EVERYBODY_ELSE = {"Name": "*", "Action": "deny"}


@dataclass
class Kept:
    """One entry in memory, with Consul's rule for writes."""

    entry: Entry | None = None
    on: bool = True
    denied: bool = False
    words: str = "Consul at http://h:8500"
    opened: list[float] = field(default_factory=list)

    def set_patience(self, seconds: float) -> None:
        self.opened.append(seconds)

    def intentions(self, name: str) -> Entry | None:
        return self.entry

    def write(self, name: str, entry: Entry) -> bool:
        if entry.index != (self.entry.index if self.entry else 0):
            return False
        self.entry = replace(entry, index=entry.index + 1)
        return True

    def remove(self, name: str, *, index: int) -> bool:
        if self.entry and self.entry.index != index:
            return False
        self.entry = None
        return True

    def may_write(self, name: str) -> None:
        if self.denied:
            raise AuthRefused("denied", hint="a rule")

    def proxies(self, name: str) -> int:
        return 0

    def is_on(self) -> bool:
        return self.on

    def close(self) -> None: ...


def mesh_with(*sources: dict[str, Any], meta: Mapping[str, str] = OURS) -> tuple[ConsulMesh, Kept]:
    kept = Kept(Entry(sources=sources, meta=meta, index=7) if sources else None)
    return ConsulMesh(lambda: kept, kept.words, "edge"), kept


@pytest.mark.parametrize(
    ("sources", "callers", "only"),
    [
        ([{"Name": "b", "Action": "allow"}, {"Name": "a", "Action": "allow"}, EVERYBODY_ELSE], ("a", "b"), True),
        ([EVERYBODY_ELSE], (), True),
        ([{"Name": "a", "Action": "allow", "Precedence": 9, "Type": "consul"}], ("a",), False),
        ([{"Name": "*", "Action": "allow"}], ("(everybody)",), False),
        ([{"Name": "a", "Action": "deny"}], ("(not a)",), False),
        ([{"Name": "a", "Permissions": [{"Action": "allow"}]}], ("(a, by a rule that orchctl does not write)",), False),
        ([{"Name": "a", "Action": "allow", "Peer": "p"}], ("(a, by a rule that orchctl does not write)",), False),
        ([{"Name": "*", "Action": "deny", "Peer": "p"}], ("(*, by a rule that orchctl does not write)",), False),
    ],
)
def test_a_rule_is_read_as_what_it_means(sources: list[dict[str, Any]], callers: tuple[str, ...], only: bool) -> None:
    mesh, _ = mesh_with(*sources)
    rule = mesh.rule("shop", "web")
    assert rule is not None
    assert (rule.callers, rule.only, rule.expect, rule.owner) == (callers, only, "7", "")


@pytest.mark.parametrize(
    ("meta", "owner"),
    [
        ({}, "intentions that were not made by orchctl"),
        ({"managed_by": "terraform"}, "intentions that were not made by orchctl"),
        (OURS | {"orchctl_cluster": "lab"}, "intentions of the service 'web' in namespace 'shop' of cluster 'lab'"),
        ({"managed_by": "orchctl"}, "intentions of the service '?' in namespace '?' of cluster '?'"),
    ],
)
def test_whose_a_rule_is_stands_in_its_meta(meta: dict[str, str], owner: str) -> None:
    rule = mesh_with(EVERYBODY_ELSE, meta=meta)[0].rule("shop", "web")
    assert rule is not None
    assert rule.owner == owner


def test_admitting_keeps_everything_that_it_does_not_say() -> None:
    strange = {"Name": "c", "Peer": "p", "Action": "allow"}
    mesh, kept = mesh_with({"Name": "a", "Action": "deny", "Precedence": 9}, strange, EVERYBODY_ELSE)
    mesh.admit("shop", "web", ["a", "b"], mesh.rule("shop", "web"))
    assert kept.entry is not None
    allowed = [{"Name": "a", "Action": "allow"}, {"Name": "b", "Action": "allow"}]
    assert [*kept.entry.sources] == [*allowed, strange, EVERYBODY_ELSE]


def test_settling_leaves_nothing_else_and_says_whose_it_is() -> None:
    mesh, kept = mesh_with()
    mesh.settle("shop", "web", ["a"], None)
    assert kept.entry == Entry(sources=({"Name": "a", "Action": "allow"}, EVERYBODY_ELSE), meta=OURS, index=1)


@pytest.fixture
def connected(front: Front) -> Iterator[ConsulMesh]:
    mesh = ConsulMesh(lambda: ConnectClient(target_of(front.url)), front.url, "edge")
    yield mesh
    mesh.close()


@pytest.mark.parametrize("change", ["admit", "settle"])
def test_what_others_say_in_the_entry_is_sent_back(connected: ConsulMesh, server: FakeConsul, change: str) -> None:
    """A write replaces the whole entry, and Consul has learned new things to say there: JWT with 1.16."""
    connected.settle("shop", "web", ["a"], None)
    ours = server.config["web"]
    jwt = {"Providers": [{"Name": "okta", "VerifyClaims": None}]}
    server.config["web"] = ours | {"Meta": ours["Meta"] | {"team": "shop"}, "JWT": jwt, "Hash": 99}
    server.config["web"]["ModifyIndex"] += 1
    write: Callable[..., None] = getattr(connected, change)
    write("shop", "web", ["b"], connected.rule("shop", "web"))
    now = server.config["web"]
    assert (now["Meta"], now["JWT"]) == (OURS | {"team": "shop"}, jwt)
    assert {"Name": "b", "Action": "allow"} in now["Sources"]
    assert "Hash" not in now, "that is Consul's own"


def test_whoever_was_quicker_stays() -> None:
    mesh, kept = mesh_with(EVERYBODY_ELSE)
    rule = mesh.rule("shop", "web")
    assert rule is not None
    kept.entry = moved = Entry(sources=(EVERYBODY_ELSE,), meta={}, index=8)
    for write in (
        lambda: mesh.admit("shop", "web", ["a"], rule),
        lambda: mesh.settle("shop", "web", ["a"], rule),
        lambda: mesh.settle("shop", "web", ["a"], None),
        lambda: mesh.remove("web", rule),
    ):
        with pytest.raises(StalePlan, match="the intentions of 'web' have changed"):
            write()
    assert kept.entry is moved


def test_nobody_is_contacted_until_something_is_asked() -> None:
    opened: list[Kept] = []

    def open_port() -> Kept:
        opened.append(Kept())
        return opened[-1]

    mesh = ConsulMesh(open_port, "Consul", "edge")
    mesh.set_patience(2.0)
    assert not opened
    assert mesh.obstacle() == ""
    assert [kept.opened for kept in opened] == [[2.0]]


@pytest.mark.parametrize(
    ("kept", "health", "finding"),
    [
        (Kept(on=False), [Health.BAD], "Connect is off in Consul at http://h:8500 (connect.enabled of its servers)"),
        (Kept(denied=True), [Health.GOOD, Health.WARNING], "may not say of every service who may call it: denied"),
        (Kept(), [Health.GOOD, Health.GOOD], "may say who may call a service"),
    ],
)
def test_doctor_tells_what_stands_in_the_way(kept: Kept, health: list[Health], finding: str) -> None:
    found = [*ConsulMesh(lambda: kept, kept.words, "edge").checks()]
    assert ([check.health for check in found], found[-1].finding) == (health, finding)


def test_a_refusal_names_the_rule_as_a_policy_has_to_say_it() -> None:
    error = refused(
        "Permission denied: token with AccessorID 'x' lacks permission 'intention:write' on \"web\"", where="C"
    )
    assert error.hint == 'the token\'s policy needs: service "web" { policy = "read" intentions = "write" }'


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"true",
        b'{"Kind": "service-intentions", "Name": "other", "Sources": [], "ModifyIndex": 1}',
        b'{"Kind": "service-intentions", "Name": "web", "Sources": [3], "ModifyIndex": 1}',
        b'{"Kind": "service-intentions", "Name": "web", "Sources": [], "ModifyIndex": "x"}',
    ],
)
def test_a_strange_answer_is_no_rule(body: bytes) -> None:
    with Front(lambda _asked: Answered(200, body)) as front:
        client = ConnectClient(target_of(front.url))
        with pytest.raises(Unreachable, match="is this a Consul agent"):
            client.intentions("web")
        client.close()


def test_hidden_proxies_are_not_taken_for_none() -> None:
    headers = {"X-Consul-Results-Filtered-By-ACLs": "true"}
    with Front(lambda _asked: Answered(200, b"[]", headers)) as front:
        client = ConnectClient(target_of(front.url))
        with pytest.raises(AuthRefused) as caught:
            client.proxies("web")
        assert 'service_prefix "web" { policy = "read" }' in caught.value.hint
        client.close()


def test_a_server_that_is_in_trouble_does_not_look_like_one_without_a_mesh() -> None:
    with Front(lambda _asked: Answered(404)) as front:
        client = ConnectClient(target_of(front.url))
        front.strike = answering(Answered(500, b"Connect must be enabled in order to use this endpoint"))
        assert not client.is_on()
        front.strike = answering(Answered(500, b"No cluster leader"))
        with pytest.raises(Unreachable, match="No cluster leader"):
            client.is_on()
        client.close()


def test_mesh_is_a_switch(tmp_path: Path) -> None:
    catalog = Catalog(name="main", kind="consul", settings={"consul": "http://h:8500", "mesh": "yes"})
    with pytest.raises(ConfigError, match="mesh must be true or false"):
        mesh_of(Context(name="here", backend="local", state_dir=tmp_path, catalog=catalog))
