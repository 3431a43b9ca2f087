"""An HTTP server in front of a Consul, real or not: counts what is asked, and may lose an answer or give another one."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from tests.servers.consul.api import Api
from tests.servers.serving import Serving

_HOP_BY_HOP = ("connection", "host", "content-length", "transfer-encoding", "accept-encoding")


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Respond = Callable[[Asked], Answered]
Strike = Callable[[Asked, Callable[[], Answered]], Answered | None]
"""Gets the request and what carries it out; None = the connection is closed without an answer."""


def untouched(_asked: Asked, carry_out: Callable[[], Answered]) -> Answered | None:
    return carry_out()


def lost_before(_asked: Asked, _carry_out: Callable[[], Answered]) -> Answered | None:
    """The request never arrived."""
    return None


def lost_after(_asked: Asked, carry_out: Callable[[], Answered]) -> Answered | None:
    """It was carried out, and the answer lost."""
    carry_out()
    return None


def answering(answer: Answered) -> Strike:
    """Nothing is carried out."""
    return lambda _asked, _carry_out: answer


def once(strike: Strike, *, method: str = "PUT", path: str = "/v1/txn", skip: int = 0) -> Strike:
    """``strike`` at one such request, after ``skip`` of them; everything else goes through."""
    left = [skip]

    def first(asked: Asked, carry_out: Callable[[], Answered]) -> Answered | None:
        if (asked.method, asked.path) != (method, path):
            return carry_out()
        left[0] -= 1
        return strike(asked, carry_out) if left[0] == -1 else carry_out()

    return first


def forwarding(api: Api) -> Respond:
    """To a real one, with the request's own token."""

    def respond(asked: Asked) -> Answered:
        connection = api.connection()
        headers = {k: v for k, v in asked.headers.items() if k.lower() not in _HOP_BY_HOP}
        try:
            connection.request(asked.method, asked.target, body=asked.body or None, headers=headers)
            answer = connection.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
            return Answered(answer.status, answer.read(), kept)
        finally:
            connection.close()

    return respond


class Front:
    """``requests`` is what arrived; ``strike`` decides what becomes of a request."""

    def __init__(self, respond: Respond) -> None:
        self.requests: list[Asked] = []
        self.strike: Strike = untouched
        self._server = _Server(self, respond)
        self._serving = Serving(self._server)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def writes(self) -> int:
        return sum(asked.method != "GET" for asked in self.requests)

    def close(self) -> None:
        self._serving.end()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, front: Front, respond: Respond) -> None:
        self.front, self.respond = front, respond
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, dict(self.headers.items()), body)
        self.server.front.requests.append(asked)
        try:
            answer = self.server.front.strike(asked, lambda: self.server.respond(asked))
        except (OSError, http.client.HTTPException):  # the server behind us is gone
            answer = None
        if answer is None:
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_DELETE = handle_any

    def log_message(self, *words: object) -> None:
        """Quiet."""
