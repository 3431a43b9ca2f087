"""What ``orchctl doctor`` says about a cluster."""

from __future__ import annotations

import base64
import email.utils
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from orchctl.core.check import Check, Health
from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl_kubernetes.access import RIGHTS
from tests.unit.kubernetes.api_server import Answer, Handler, Server, kubeconfig, refusal, running

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}


@pytest.fixture
def cluster() -> Iterator[Answers]:
    with running() as server:
        yield Answers(server)


class Answers:
    """What the stand-in says when it is asked as doctor asks."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.version: dict[str, Any] = VERSION
        self.namespace: Answer = (200, {"metadata": {"name": "shop"}, "status": {"phase": "Active"}})
        self.refused: set[tuple[str, str]] = set()
        self.asked: list[dict[str, str]] = []
        server.reply = self.reply

    def reply(self, method: str, path: str) -> Answer:
        if path == "/version":
            return 200, self.version
        if path == "/api/v1/namespaces/shop":
            return self.namespace
        wanted = json.loads(self.server.seen[-1][3])["spec"]["resourceAttributes"]
        self.asked.append(wanted)
        return 201, {"status": {"allowed": (wanted["verb"], wanted["resource"]) not in self.refused}}

    def checks(self, folder: Path, user: dict[str, Any] | None = None, **more: Any) -> dict[str, Check]:
        settings = {"kubeconfig": str(kubeconfig(folder / "kubeconfig", self.server.url, user=user, **more))}
        context = Context(name="k", backend="kubernetes", state_dir=folder, settings=settings)
        with load("kubernetes").connect(context) as connection:
            return {check.name: check for check in connection.checks("shop")}


def token(**claims: Any) -> dict[str, Any]:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return {"token": f"e30.{part}.c2ln"}


def test_a_cluster_without_fault_is_good_in_every_respect(cluster: Answers, tmp_path: Path) -> None:
    found = cluster.checks(tmp_path)
    assert list(found) == ["version", "namespace", "permissions", "clock"]
    assert {c.health for c in found.values()} == {Health.GOOD}
    assert {m for m, _, _, _ in cluster.server.seen} == {"GET", "POST"}


@pytest.mark.parametrize(
    ("version", "health", "words"),
    [
        (VERSION, Health.GOOD, "Kubernetes v1.34.4"),
        ({"major": "1", "minor": "30+", "gitVersion": "v1.30.1-eks"}, Health.GOOD, "v1.30.1-eks"),
        ({"major": "1", "minor": "29", "gitVersion": "v1.29.0"}, Health.WARNING, "v1.29.0 is older than 1.30"),
        ({"major": "2", "minor": "0", "gitVersion": "v2.0.0"}, Health.GOOD, "v2.0.0"),
        ({"major": "", "minor": "", "gitVersion": "v0.0.0-master"}, Health.UNKNOWN, "v0.0.0-master"),
        ({}, Health.UNKNOWN, "?"),
    ],
)
def test_a_version_that_is_too_old_for_a_drain_is_a_warning(
    cluster: Answers, tmp_path: Path, version: dict[str, Any], health: Health, words: str
) -> None:
    cluster.version = version
    found = cluster.checks(tmp_path)["version"]
    assert found.health is health
    assert words in found.finding
    assert ("stop.drain" in found.hint) is (health is Health.WARNING)


@pytest.mark.parametrize(
    ("answer", "health", "words"),
    [
        ((200, {"status": {"phase": "Active"}}), Health.GOOD, "exists"),
        ((200, {"status": {"phase": "Terminating"}}), Health.BAD, "is being deleted"),
        ((404, refusal(404, "no", "NotFound", kind="namespaces", name="shop")), Health.WARNING, "does not exist"),
        ((403, refusal(403, 'cannot get resource "namespaces"')), Health.UNKNOWN, "may not look"),
    ],
)
def test_the_namespace_is_there_or_can_be_made(
    cluster: Answers, tmp_path: Path, answer: Answer, health: Health, words: str
) -> None:
    cluster.namespace = answer
    found = cluster.checks(tmp_path)["namespace"]
    assert (found.health, words in found.finding) == (health, True)
    assert ("--create-namespace" in found.hint) is (health is Health.WARNING)


def test_a_missing_right_is_named_and_a_role_is_offered(cluster: Answers, tmp_path: Path) -> None:
    cluster.refused = {("create", "leases"), ("list", "events")}
    found = cluster.checks(tmp_path)["permissions"]
    assert (found.health, found.exit_code) == (Health.BAD, 10)
    assert found.finding == "missing in shop: list events, create leases"
    assert "render rbac --backend kubernetes -n shop" in found.hint


def test_every_right_of_the_role_is_asked_for_in_the_namespace(cluster: Answers, tmp_path: Path) -> None:
    cluster.checks(tmp_path)
    asked = [(a["namespace"], a["group"], a["resource"], a["subresource"], a["verb"]) for a in cluster.asked]
    assert asked == [("shop", r.resource.group, r.resource.plural, r.sub, v) for r in RIGHTS for v in r.verbs]


def _date(delta_s: float) -> str:
    return email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=delta_s), usegmt=True)


@pytest.mark.parametrize(
    ("date", "health"),
    [
        (5, Health.GOOD),
        (600, Health.WARNING),
        (-600, Health.WARNING),
        ("yesterday", Health.UNKNOWN),
        ("Mon, 23 Nov 2026 09:00:00", Health.UNKNOWN),
        ("Mon, 23 Nov 2026 09:00:00 -0000", Health.UNKNOWN),
        ("", Health.UNKNOWN),
    ],
    ids=["right", "ahead", "behind", "no date", "no zone", "unknown zone", "none"],
)
def test_a_clock_that_is_wrong_is_seen(
    cluster: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, date: str | int, health: Health
) -> None:
    """A number is the difference in seconds to the time of the test."""
    told = date if isinstance(date, str) else _date(date)
    monkeypatch.setattr(Handler, "date_time_string", lambda *_: told)
    assert cluster.checks(tmp_path)["clock"].health is health


@pytest.mark.parametrize(
    ("left", "health", "words"),
    [
        (timedelta(hours=-2), Health.BAD, "ended on"),
        (timedelta(hours=2), Health.GOOD, "good until"),
        (timedelta(days=300), Health.GOOD, "good until"),
    ],
)
def test_a_token_says_itself_until_when_it_is_good(
    cluster: Answers, tmp_path: Path, left: timedelta, health: Health, words: str
) -> None:
    found = cluster.checks(tmp_path, token(exp=int((datetime.now(UTC) + left).timestamp())))["token"]
    assert (found.health, words in found.finding) == (health, True)


@pytest.mark.parametrize(
    "user",
    [token(), token(exp="soon"), token(exp=1e300), {"token": "a.b.c"}, {"token": "ä.ä.ä"}, {"token": "opaque"}],
    ids=["no date", "no number", "no year", "no JSON", "no base64", "no web token"],
)
def test_a_token_that_does_not_say_is_not_mentioned(cluster: Answers, tmp_path: Path, user: dict[str, Any]) -> None:
    assert "token" not in cluster.checks(tmp_path, user)


@pytest.mark.parametrize(
    ("left", "health", "words"),
    [
        (timedelta(days=-1, hours=1), Health.BAD, "ended on"),
        (timedelta(days=5, hours=1), Health.WARNING, "in 5 days"),
        (timedelta(days=300), Health.GOOD, "good until"),
    ],
)
def test_a_client_certificate_is_renewed_in_time(tmp_path: Path, left: timedelta, health: Health, words: str) -> None:
    end, authority = datetime.now(UTC) + left, trustme.CA()
    client = authority.issue_cert("client@example.com", not_before=end - timedelta(days=400), not_after=end)
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    user = {"client-certificate": str(tmp_path / "cert.pem"), "client-key": str(tmp_path / "key.pem")}
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with running(tls) as server:
        checks = Answers(server).checks(tmp_path, user, cluster={"certificate-authority": str(tmp_path / "ca.pem")})
    found = checks["client certificate"]
    assert (found.health, words in found.finding) == (health, True)
    assert bool(found.hint) is (health is not Health.GOOD)
