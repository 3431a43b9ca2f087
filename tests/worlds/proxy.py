"""Counts the requests that reach an engine: a unix socket in front of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

_HEADER_END = b"\r\n\r\n"
_IDLE_S = 120.0


@dataclass(slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)


class CountingProxy:
    """Forwards connections as they are and keeps every request line and header it saw."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.path, self._engine = path, engine
        self.requests: list[Request] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def writes(self) -> int:
        return sum(r.method not in ("GET", "HEAD") for r in self.requests)

    def close(self) -> None:
        self._listener.close()
        for connection in list(self._open):
            connection.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._open |= {client, engine}
        with client, engine, contextlib.suppress(OSError):
            for end in (client, engine):
                end.settimeout(_IDLE_S)
            engine.connect(str(self._engine))
            threading.Thread(target=_pump, args=(engine, client), daemon=True).start()
            self._requests(client, engine)
        self._open -= {client, engine}

    def _requests(self, client: socket.socket, engine: socket.socket) -> None:
        """Client to engine, one request after the other: header, then as much body as it announces."""
        buffer = b""
        while True:
            while _HEADER_END not in buffer:
                chunk = client.recv(65536)
                if not chunk:
                    return
                buffer += chunk
            header, _, buffer = buffer.partition(_HEADER_END)
            request = _parse(header)
            self.requests.append(request)
            engine.sendall(header + _HEADER_END)
            left = int(request.headers.get("content-length", 0))
            while left:
                chunk = buffer or client.recv(65536)
                if not chunk:
                    return
                body, buffer = chunk[:left], chunk[left:]
                engine.sendall(body)
                left -= len(body)


def _parse(header: bytes) -> Request:
    first, *lines = header.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return Request(method, path, {name.strip().lower(): value.strip() for name, _, value in pairs})


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
