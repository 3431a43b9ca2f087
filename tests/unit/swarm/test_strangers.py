"""What is at the other end may send us elsewhere, break off, or never end: an error of ours, and nothing given away."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl.core.service import Service
from orchctl.errors import OrchctlError, OutcomeUnknown, Unreachable
from orchctl_swarm import client, logs
from tests.servers.serving import served
from tests.unit.swarm.test_answers import VERSION

ENDLESS = b"x" * (1 << 20)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    kind = ""
    elsewhere = ""
    heard: list[tuple[str, str, str]]
    over: threading.Event


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.heard.append((self.command, self.path, self.headers.get("X-Registry-Auth", "")))
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path.endswith("/version"):
            self._whole(200, VERSION)
        elif self.server.kind == "redirect":
            self._whole(302, b"", Location=self.server.elsewhere)
        elif self.server.kind == "redirect to itself":
            self._whole(307, b"", Location=self.path)
        elif self.server.kind == "endless redirect":
            self._endless(302)
        elif self.server.kind.startswith("cut"):
            self._cut(int(self.server.kind.removeprefix("cut ")))
        elif self.server.kind.startswith("endless"):
            self._endless(int(self.server.kind.removeprefix("endless ")))
        else:
            self._whole(200, self.server.kind.encode())

    do_POST = do_DELETE = do_GET

    def _whole(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _cut(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"message": "the managers')
        self.wfile.flush()
        self.close_connection = True

    def _endless(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Location", self.server.elsewhere)
        self.end_headers()
        self.close_connection = True
        try:
            while not self.server.over.is_set():
                self.wfile.write(ENDLESS)
        except OSError:
            return

    def log_message(self, *words: object) -> None:
        """Quiet."""


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Server]]:
    """The engine, and somebody else. Bounds are small, so that what has none shows."""
    monkeypatch.setattr(client, "MOST_BYTES", 4 << 20)
    with Server(("127.0.0.1", 0), Handler) as engine, Server(("127.0.0.1", 0), Handler) as other:
        for server in (engine, other):
            server.heard, server.over = [], threading.Event()
            server.elsewhere = f"http://127.0.0.1:{other.server_port}/v1.41/elsewhere"
        with served(engine), served(other):
            yield engine, other
        engine.over.set()


@pytest.fixture
def context(servers: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    config = tmp_path / "docker"
    config.mkdir()
    (config / "config.json").write_text(json.dumps({"auths": {"registry.example.com": {"auth": "dXNlcjpzZWNyZXQ="}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    host = f"tcp://127.0.0.1:{servers[0].server_port}"
    return Context(name="swarm", backend="swarm", state_dir=tmp_path, settings={"host": host}, namespace="test")


SERVICE = Service(name="web", namespace="test", image="registry.example.com/web:1")
KINDS = (
    "redirect",
    "redirect to itself",
    "endless redirect",
    "cut 200",
    "cut 400",
    "cut 500",
    "endless 500",
    "endless 200",
)


@pytest.mark.parametrize("kind", [*KINDS, "<html>It works!</html>", "[1]", '{"Descriptor": [1]}'])
def test_every_request_ends_in_an_error_of_ours(servers: tuple[Server, Server], context: Context, kind: str) -> None:
    engine, other = servers
    engine.kind = kind
    with load("swarm").connect(context) as connection:
        for look in (
            lambda: connection.reader.live("test", ["web"]),
            lambda: connection.store.list("test/"),
            lambda: connection.reader.pin(SERVICE),
            lambda: connection.store.create("test/web/lease", b"", {}),
            lambda: connection.reader.logs("test", "web", instance="x") if "endless" not in kind else None,
        ):
            try:
                look()
            except OrchctlError as error:
                assert "\n" not in str(error).strip()
    assert other.heard == []


def test_credentials_go_to_nobody_else_and_a_redirected_write_is_no_success(
    servers: tuple[Server, Server], context: Context
) -> None:
    engine, other = servers
    engine.kind = "redirect"
    with load("swarm").connect(context) as connection:
        with pytest.raises(Unreachable, match="sends us elsewhere"):
            connection.reader.pin(SERVICE)
        with pytest.raises(Unreachable, match="sends us elsewhere"):
            connection.store.create("test/web/lease", b"", {})
    assert any(credentials for _, _, credentials in engine.heard)
    assert other.heard == []


def test_a_write_whose_answer_breaks_off_or_never_ends_may_have_been_carried_out(
    servers: tuple[Server, Server], context: Context
) -> None:
    with load("swarm").connect(context) as connection:
        for kind in ("cut 200", "endless 200"):
            servers[0].kind = kind
            with pytest.raises(OutcomeUnknown):
                connection.store.create("test/web/lease", b"", {})


def test_a_cut_error_still_says_what_its_status_means(servers: tuple[Server, Server], context: Context) -> None:
    servers[0].kind = "cut 500"
    with load("swarm").connect(context) as connection, pytest.raises(Unreachable, match=r"HTTP 500; .* broke off"):
        connection.reader.live("test", ["web"])


def test_what_is_no_registrys_answer_is_no_bug_of_ours(servers: tuple[Server, Server], context: Context) -> None:
    servers[0].kind = "<html>It works!</html>"
    with load("swarm").connect(context) as connection, pytest.raises(Unreachable, match="cannot say which image"):
        connection.reader.pin(SERVICE)


def test_a_frame_of_four_gigabytes_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A length that nobody has sent is not waited for with all of the stream in memory."""
    first = b"\x01\0\0\0\xff\xff\xff\xff" + b"a" * 100
    taken = iter([first, *[b"b" * 100] * 3])
    found = logs.frames(taken)
    assert next(found) == ("stdout", first)
    assert next(found) == ("stdout", b"b" * 100)


def test_empty_lines_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MOST_BYTES", 10_000)
    kept, _ = logs._newest(logs.parse_line("stdout", "x", "web") for _ in range(1000))
    assert len(kept) < 100


def test_a_credential_helper_that_hangs_is_given_up(
    servers: tuple[Server, Server], context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-slow"
    helper.write_text("#!/bin/sh\nexec sleep 3\n")
    helper.chmod(0o700)
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"credsStore": "slow"}))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(client, "HELPER_S", 0.2)
    servers[0].kind = "{}"
    with load("swarm").connect(context) as connection, pytest.raises(OrchctlError, match=r"no answer within 0\.2 s"):
        connection.reader.pin(SERVICE)
