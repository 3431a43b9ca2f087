"""The suite of every store under ACLs that deny by default and over TLS, with the least that orchctl needs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchctl.catalog.checks import checks
from orchctl.catalog.consul import Consul as Client
from orchctl.catalog.consul import Step
from orchctl.catalog.store import ConsulStore
from orchctl.core.check import Check, Health
from orchctl.core.store import Store
from orchctl.errors import AuthRefused, OrchctlError, OutcomeUnknown, Unreachable, UsageError
from orchctl.testing import contract
from tests.servers.consul.agent import Consul
from tests.unit.catalog.support import connected, target_of
from tests.worlds.consul import reached_like

pytestmark = pytest.mark.world_consul

LEAST = 'key_prefix "orchctl/prod/" { policy = "write" } session_prefix "" { policy = "write" }'
READER = 'key_prefix "orchctl/prod/" { policy = "read" }'


class TestStoreUnderTheLeastPolicyAndTls(contract.StoreContract):
    @pytest.fixture
    def store(self, secured_consul: Consul, tmp_path: Path) -> Iterator[Store]:
        client = reached(secured_consul, tmp_path, LEAST)
        yield ConsulStore(client, f"orchctl/prod/{uuid.uuid4().hex}")
        client.close()


def reached(consul: Consul, folder: Path, rules: str) -> Client:
    return connected(consul.url, **reached_like(consul, folder / "token", rules))


def found(consul: Consul, folder: Path, rules: str) -> dict[str, Check]:
    settings = reached_like(consul, folder / "token", rules)
    return {c.finding if c.health is Health.BAD else c.name: c for c in examined(consul.url, settings)}


def examined(url: str, settings: dict[str, Any]) -> list[Check]:
    return list(checks(connected(url, **settings), target_of(url, **settings), "orchctl/prod", "shop"))


def test_a_reader_reads_and_is_told_which_rule_a_write_needs(secured_consul: Consul, tmp_path: Path) -> None:
    client = reached(secured_consul, tmp_path, READER)
    store = ConsulStore(client, "orchctl/prod")
    assert store.list("reader/") == []
    assert store.get("reader/web/r/1") is None
    with pytest.raises(AuthRefused) as caught:
        store.create("reader/web/r/1", b"", {})
    assert caught.value.hint == 'the token\'s policy needs: key "orchctl/prod/reader/web/r/1" { policy = "write" }'
    with pytest.raises(AuthRefused) as caught:
        store.create("reader/web/lease", b"", {"token": "t"})
    assert caught.value.hint == 'the token\'s policy needs: session "test" { policy = "write" }'


def test_nothing_to_see_is_told_apart_from_nothing_there(secured_consul: Consul, tmp_path: Path) -> None:
    """Consul itself answers both alike when a prefix is listed."""
    ConsulStore(reached(secured_consul, tmp_path, LEAST), "orchctl/prod").create("seen/web/r/1", b"", {})
    others = 'key_prefix "orchctl/other/" { policy = "write" }'
    with pytest.raises(AuthRefused):
        ConsulStore(reached(secured_consul, tmp_path, others), "orchctl/prod").list("seen/")
    partly = (
        'key_prefix "orchctl/prod/part/" { policy = "read" } key "orchctl/prod/part/web/secret" { policy = "deny" }'
    )
    api = secured_consul.api
    for key in ("orchctl/prod/part/web/a", "orchctl/prod/part/web/secret"):
        api.put(f"/v1/kv/{key}", b"x")
    with pytest.raises(AuthRefused, match="may not see all"):
        ConsulStore(reached(secured_consul, tmp_path, partly), "orchctl/prod").list("part/")


def test_a_token_that_was_deleted_is_told(secured_consul: Consul, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(str(uuid.uuid4()))
    client = connected(secured_consul.url, token_file=str(tmp_path / "token"), ca=str(secured_consul.ca))
    with pytest.raises(AuthRefused, match="ACL not found") as caught:
        client.get("orchctl/prod/a")
    assert "token_file" in caught.value.hint


def test_without_a_token_its_setting_is_named(secured_consul: Consul) -> None:
    with pytest.raises(AuthRefused, match="anonymous") as caught:
        connected(secured_consul.url, ca=str(secured_consul.ca)).get("orchctl/prod/a")
    assert "orchctl/prod/a" in caught.value.hint


@pytest.mark.parametrize("bundle", ["/nowhere/bundle.pem", ""])
def test_an_authority_that_is_not_configured_is_not_trusted(
    secured_consul: Consul, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    environ = {"REQUESTS_CA_BUNDLE": bundle} if bundle else {}
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    client = Client(target_of(secured_consul.url, environ=environ))
    with pytest.raises(OrchctlError) as caught:
        client.get("orchctl/prod/a")
    assert caught.value.exit_code in (2, 9)


def test_the_environments_bundle_does_not_replace_the_authority(
    secured_consul: Consul, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In requests REQUESTS_CA_BUNDLE stands over what a session is told to verify with."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert reached(secured_consul, tmp_path, LEAST).get("orchctl/prod/none") is None


def test_plain_http_to_a_port_with_tls_is_explained(secured_consul: Consul) -> None:
    with pytest.raises(Unreachable) as caught:
        connected(secured_consul.url.replace("https", "http")).get("a")
    assert "this address speaks TLS" in caught.value.hint


def test_a_server_that_wants_a_certificate_gets_the_configured_one() -> None:
    with Consul(tls=True, verify_incoming=True) as consul:
        certificate, key = map(str, consul.cert)
        assert connected(consul.url, ca=str(consul.ca), cert=certificate, key=key).get("a") is None
        with pytest.raises(AuthRefused) as caught:
            connected(consul.url, ca=str(consul.ca)).get("a")
        assert "cert and key" in caught.value.hint
        with pytest.raises((AuthRefused, OutcomeUnknown)):  # TLS 1.3 refuses while the request is on its way
            connected(consul.url, ca=str(consul.ca)).transact([Step(verb="cas", key="a")])
        assert consul.api.value("a") is None
        names = [c.name for c in examined(consul.url, {"ca": str(consul.ca), "cert": certificate, "key": key})]
        assert "store certificate" in names


def test_doctor_finds_nothing_missing_under_the_least_policy(secured_consul: Consul, tmp_path: Path) -> None:
    report = found(secured_consul, tmp_path, LEAST)
    assert report["store"].finding.startswith(f"answered by Consul at {secured_consul.url}")
    assert report["store rights"].health is Health.GOOD
    assert report["store version"].health is Health.UNKNOWN
    assert report["store version"].hint == 'the token\'s policy needs: agent "test" { policy = "read" }'
    with_agent = found(secured_consul, tmp_path, LEAST + ' agent_prefix "" { policy = "read" }')
    assert with_agent["store version"].finding == "Consul 1.20.6"


def test_doctor_names_every_right_that_is_missing_and_changes_nothing(secured_consul: Consul, tmp_path: Path) -> None:
    keys, sessions = secured_consul.api.keys(""), secured_consul.api.sessions()
    bad = [c for c in found(secured_consul, tmp_path, READER).values() if c.health is Health.BAD]
    assert [c.hint.partition("needs: ")[2] for c in bad] == [
        'key "orchctl/prod/shop/:" { policy = "write" }',
        'session "test" { policy = "write" }',
    ]
    assert {c.exit_code for c in bad} == {10}
    bad = [
        c
        for c in found(secured_consul, tmp_path, 'agent_prefix "" { policy = "read" }').values()
        if c.health is Health.BAD
    ]
    assert len(bad) == 3
    assert (secured_consul.api.keys(""), secured_consul.api.sessions()) == (keys, sessions)


def test_doctor_says_when_nobody_is_there(tmp_path: Path) -> None:
    [only] = examined("http://127.0.0.1:1", {})
    assert (only.name, only.health, only.exit_code) == ("store", Health.BAD, 9)


def test_the_largest_entry_fits_and_a_larger_one_is_not_sent(secured_consul: Consul, tmp_path: Path) -> None:
    store = ConsulStore(reached(secured_consul, tmp_path, LEAST), f"orchctl/prod/{uuid.uuid4().hex}")
    meta = {f"m{n}": "x" * 4096 for n in range(16)}
    store.create("shop/web/r/1", os.urandom(store.max_body_bytes), meta)
    with pytest.raises(UsageError, match="512 KiB"):
        store.create("shop/web/r/2", os.urandom(2 * store.max_body_bytes), meta)
    assert store.get("shop/web/r/2") is None


def test_another_datacenter_is_asked_for_by_name(consul: Consul) -> None:
    client = connected(consul.url, datacenter="elsewhere")
    actions: list[Callable[[], object]] = [
        lambda: client.get("a"),
        lambda: client.transact([Step(verb="cas", key="a")]),
    ]
    for action in actions:
        with pytest.raises(Unreachable, match="No path to datacenter") as caught:
            action()
        assert type(caught.value) is Unreachable
    assert connected(consul.url, datacenter="dc1").get("a") is None


@pytest.mark.parametrize("broken", ["ca", "cert", "key"])
def test_files_that_hold_no_certificate_are_said_to_be_at_fault(
    secured_consul: Consul, tmp_path: Path, broken: str
) -> None:
    (tmp_path / "broken.pem").write_text("nonsense")
    certificate, key = map(str, secured_consul.cert)
    files = {"ca": str(secured_consul.ca), "cert": certificate, "key": key} | {broken: str(tmp_path / "broken.pem")}
    with pytest.raises(Unreachable) as caught:
        connected(secured_consul.url, tmp_path, **files).get("a")
    assert "check ca, cert and key" in caught.value.hint


def test_a_package_that_overwrites_ours_is_told(
    consul: Consul, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python_consul-1.1.0.dist-info").mkdir()
    (tmp_path / "python_consul-1.1.0.dist-info" / "METADATA").write_text("Name: python-consul\nVersion: 1.1.0\n")
    assert "store package" not in {c.name for c in examined(consul.url, {})}
    monkeypatch.syspath_prepend(tmp_path)
    [told] = [c for c in examined(consul.url, {}) if c.name == "store package"]
    assert told.health is Health.WARNING
    assert "pip uninstall python-consul &&" in told.hint
