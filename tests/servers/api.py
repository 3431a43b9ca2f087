"""The Docker API over a unix socket by the standard library alone: the truth that adapters are measured against."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from pathlib import Path
from typing import Any

TIMEOUT = 60.0


class ApiError(Exception):
    """An answer of 400 and more."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(str(self._path))


class Api:
    """One request, one connection; ``filters`` are sent as the engine wants them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, path: str, *, filters: dict[str, list[str]] | None = None, **query: str) -> Any:
        return self.call("GET", path, filters=filters, **query)

    def post(self, path: str, body: Any = None, **query: str) -> Any:
        return self.call("POST", path, body, **query)

    def delete(self, path: str, **query: str) -> Any:
        return self.call("DELETE", path, **query)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        filters: dict[str, list[str]] | None = None,
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> Any:
        """JSON of the answer (None when it is empty); ``body`` is bytes (a tar archive) or JSON."""
        if filters:
            query["filters"] = json.dumps(filters)
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        kind, data = _encode(body)
        connection = _UnixConnection(self.path)
        try:
            connection.request(method, target, body=data, headers=kind | (headers or {}))
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(response.status, text.strip())
        return _decode(text)


def _encode(body: Any) -> tuple[dict[str, str], bytes | None]:
    if body is None:
        return {}, None
    if isinstance(body, bytes):
        return {"Content-Type": "application/x-tar"}, body
    return {"Content-Type": "application/json"}, json.dumps(body).encode()


def _decode(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except json.JSONDecodeError:
        return text
