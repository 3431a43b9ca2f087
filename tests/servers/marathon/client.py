"""A plain HTTP client for tests: every status is an answer, nothing is interpreted."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Client:
    """Requests to one server, each on a connection of its own."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, trust: ssl.SSLContext | None = None) -> None:
        self._parts = urllib.parse.urlsplit(url)
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._trust = trust

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.send("POST", path, body)

    def put(self, path: str, body: Any = None) -> Answer:
        return self.send("PUT", path, body)

    def patch(self, path: str, body: Any = None) -> Answer:
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        connection = self.connection()
        sent = None if body is None else json.dumps(body)
        kind = {"Content-Type": "application/json"} if sent else {}
        try:
            connection.request(method, self._parts.path + path, sent, {**self._headers, **kind})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def connection(self, *, seconds: float = 10.0) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=seconds, context=self._trust)
        return http.client.HTTPConnection(host, port, timeout=seconds)
