"""Whatever answers on the socket: one sentence, never a traceback, and the right exit code."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl.errors import OrchctlError, OutcomeUnknown, Unreachable
from tests.servers.serving import served

VERSION = b'{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}'
GARBAGE = {
    "a page": b"<html><body>It works!</body></html>",
    "nothing": b"",
    "half an answer": b'[{"ID": "abc", "Spec": {"Na',
    "an object for a list": b'{"message": "hello"}',
    "numbers for services": b"[1, 2, 3]",
    "null": b"null",
    "a deep nest": b"[" * 5000,
}


class Engine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    body = b""
    status = 200
    hang: threading.Event | None = None


class Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        is_version = self.path.endswith("/version")
        if self.server.hang and not is_version:
            self.server.hang.wait(60)
            return
        self.answer(200 if is_version else self.server.status, VERSION if is_version else self.server.body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.answer(self.server.status, self.server.body)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Quiet."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(str(tmp_path / "e.sock"), Handler) as server, served(server):
        yield server


@pytest.fixture
def context(engine: Engine, tmp_path: Path) -> Context:
    host = f"unix://{engine.server_address!s}"
    return Context(name="swarm", backend="swarm", state_dir=tmp_path, settings={"host": host}, namespace="test")


@pytest.mark.parametrize("body", list(GARBAGE.values()), ids=list(GARBAGE))
def test_garbage_for_an_answer_to_a_read_is_unreachable(engine: Engine, context: Context, body: bytes) -> None:
    engine.body = body
    with load("swarm").connect(context) as connection:
        looks: list[Callable[[], object]] = [
            lambda: connection.reader.live("test", ["web"]),
            lambda: connection.reader.progress("test"),
            lambda: connection.store.list("test/"),
        ]
        for look in looks:
            with pytest.raises(Unreachable, match="the answer to /"):
                look()


def test_garbage_for_an_answer_to_a_write_leaves_its_outcome_unknown(engine: Engine, context: Context) -> None:
    engine.body = GARBAGE["a page"]
    with load("swarm").connect(context) as connection, pytest.raises(OutcomeUnknown):
        connection.store.create("test/web/lease", b"", {})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 502, 503, 504])
def test_every_status_is_one_of_our_errors(engine: Engine, context: Context, status: int) -> None:
    engine.status, engine.body = status, GARBAGE["a page"]
    with load("swarm").connect(context) as connection, pytest.raises(OrchctlError) as caught:
        connection.reader.live("test", ["web"])
    assert caught.value.exit_code in (2, 4, 5, 9, 10)
    assert "\n" not in str(caught.value).strip()


def test_an_engine_that_hangs_is_given_up_when_patience_ends(engine: Engine, context: Context) -> None:
    """The engine answers only when the test is over, so a read that returns has given up by itself."""
    over = threading.Event()
    engine.hang = over
    try:
        with load("swarm").connect(context) as connection:
            connection.set_patience(0.2)
            with pytest.raises(Unreachable):
                connection.reader.live("test", ["web"])
            assert not over.is_set()
    finally:
        over.set()
