"""Sockets: HTTP/1.1 with keep-alive, which can be frozen, thawed and torn down in the middle of anything."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.servers.marathon.messages import Request, Response
from tests.servers.serving import Serving

Answer = Callable[[Request], Response | Iterator[bytes]]
"""An iterator is a stream: its first item is the head, and the connection is closed after the last."""


class Dropped(Exception):
    """The connection ends without an answer."""


class Listener:
    """One address. ``stop`` keeps the port number, so that ``start`` comes back where it was."""

    def __init__(
        self, answer: Answer, *, host: str = "127.0.0.1", certificate: tuple[Path, Path] | None = None
    ) -> None:
        self._answer, self._host, self._port = answer, host, 0
        self._certificate = certificate
        self._server: _Server | None = None
        self.thawed = threading.Event()
        self.thawed.set()

    @property
    def address(self) -> str:
        return f"{self._host}:{self._port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._certificate else 'http'}://{self.address}"

    def start(self) -> None:
        self._server = _Server((self._host, self._port), self._answer, self.thawed, self._certificate)
        self._port = self._server.server_address[1]
        self._serving = Serving(self._server)

    def stop(self) -> None:
        """Close the listener and every connection, answered or not."""
        server, self._server = self._server, None
        if server is None:
            return
        server.is_closed = True
        self.thawed.set()
        self._serving.end()
        server.server_close()
        server.drop_connections()

    def drop_connections(self) -> None:
        if self._server:
            self._server.drop_connections()

    @property
    def waiting(self) -> int:
        """Requests that were read and are held because the server is frozen."""
        return self._server.waiting if self._server else 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        answer: Answer,
        thawed: threading.Event,
        certificate: tuple[Path, Path] | None,
    ) -> None:
        self.answer, self.thawed = answer, thawed
        self._context = _context(certificate) if certificate else None
        self._connections: set[socket.socket] = set()
        self.is_closed = False
        self.waiting = 0
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request_thread(request, client_address)

    def get_request(self) -> tuple[Any, Any]:
        """The handshake comes with the first read, in the connection's thread: a slow client stops nobody else."""
        connection, address = super().get_request()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hold(self) -> None:
        """Return at once, or when the server is thawed."""
        if not self.thawed.is_set():
            self.waiting += 1
            self.thawed.wait()
            self.waiting -= 1

    def drop_connections(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for one in connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is a fault of ours and is shown."""
        if not isinstance(sys.exc_info()[1], OSError | ValueError):
            super().handle_error(request, client_address)


def _context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, certificate))
    return context


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's delayed acknowledgement
    server: _Server

    def _serve(self) -> None:
        request = self._request()
        self.server.hold()
        if self.server.is_closed:  # what was frozen when the server went down must not happen afterwards
            self.close_connection = True
            return
        try:
            answer = self.server.answer(request)
            if isinstance(answer, Response):
                self._write(answer)
            else:
                self._stream(answer)
        except Dropped:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def _request(self) -> Request:
        path, _, query = self.path.partition("?")
        return Request(
            self.command,
            urllib.parse.unquote(path),
            urllib.parse.parse_qs(query, keep_blank_values=True),
            {name.lower(): value for name, value in self.headers.items()},
            self._body(),
            self.client_address[0],
            target=self.path,
        )

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _write(self, response: Response) -> None:
        reason = response.reason
        if reason is None:  # 422 has none: Jersey does not know it
            reason = "" if response.status == 422 else http.client.responses.get(response.status, "")
        lines = [f"HTTP/1.1 {response.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if response.kind:
            lines.append(f"Content-Type: {response.kind}")
        if response.status != 204:
            lines.append(f"Content-Length: {len(response.body)}")
        body = b"" if self.command == "HEAD" else response.body
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        if response.headers.get("Connection") == "close":
            self.close_connection = True

    def _stream(self, answer: Iterator[bytes]) -> None:
        self.close_connection = True
        try:
            for part in answer:
                self.wfile.write(part)
        finally:
            if close := getattr(answer, "close", None):
                close()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Tests read ``requests`` instead."""
