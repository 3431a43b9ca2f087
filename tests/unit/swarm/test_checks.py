"""What ``orchctl doctor`` says about a swarm."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from orchctl.core.check import Check, Health, clock
from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl_swarm import checks
from tests.servers.serving import served

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ANSWERS = {
    "/version": b'{"ApiVersion": "1.43", "MinAPIVersion": "1.12", "Version": "24.0.5"}',
    "/info": b'{"SystemTime": "", "Swarm": {"ControlAvailable": true, "Managers": 3, "Nodes": 5}}',
}


def test_the_version_is_that_of_the_engine_and_its_api() -> None:
    assert checks.version({"Version": "24.0.5", "ApiVersion": "1.43"}).finding == "Engine 24.0.5, API 1.43"
    assert checks.version({}).finding == "Engine ?, API ?"


@pytest.mark.parametrize(
    ("swarm", "health", "code"),
    [
        ({"ControlAvailable": True, "Managers": 1, "Nodes": 1}, Health.GOOD, 0),
        ({"ControlAvailable": True, "Managers": 3, "Nodes": 9}, Health.GOOD, 0),
        ({"ControlAvailable": True, "Managers": 2, "Nodes": 2}, Health.WARNING, 0),
        ({"ControlAvailable": True, "Error": "rpc error: The swarm does not have a leader."}, Health.BAD, 9),
        ({"ControlAvailable": False, "LocalNodeState": "active"}, Health.BAD, 2),
        ({}, Health.BAD, 2),
    ],
)
def test_only_a_manager_with_a_majority_will_do(swarm: dict[str, Any], health: Health, code: int) -> None:
    found = checks.managers(swarm)
    assert found.health is health
    assert bool(found.hint) is (health is not Health.GOOD)
    if code:
        assert found.exit_code == code


@pytest.mark.parametrize(
    ("theirs", "health"),
    [
        ("2026-11-20T12:00:10.123456789Z", Health.GOOD),
        ("2026-11-20T13:00:10.123456789+01:00", Health.GOOD),
        ("2026-11-20T11:55:00Z", Health.WARNING),
        ("2026-11-20T12:05:00Z", Health.WARNING),
        ("2026-11-20T12:00:00", Health.UNKNOWN),
        ("None", Health.UNKNOWN),
        ("", Health.UNKNOWN),
    ],
)
def test_a_clock_that_is_wrong_is_seen(theirs: str, health: Health) -> None:
    assert clock(checks.time_of(theirs), NOW, whose="engine").health is health


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = ANSWERS["/" + self.path.rpartition("/")[2]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Quiet."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The settings of a context for an engine that speaks TLS."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client = authority.issue_cert("client@example.com", not_after=datetime.now(UTC) + timedelta(days=5))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=99)).configure_cert(tls)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        files = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
        with served(server):
            yield {"host": f"tcp://127.0.0.1:{server.server_port}", "tls": files}


def test_both_ends_of_a_connection_show_their_certificates(engine: dict[str, Any], tmp_path: Path) -> None:
    context = Context(name="edge", backend="swarm", state_dir=tmp_path, base_dir=tmp_path, settings=engine)
    with load("swarm").connect(context) as connection:
        found: dict[str, Check] = {check.name: check for check in connection.checks("default")}
    assert list(found) == ["version", "managers", "clock", "engine certificate", "client certificate"]
    assert found["engine certificate"].health is Health.GOOD
    assert found["client certificate"].health is Health.WARNING
