"""Consul's HTTP API by the standard library alone: the truth that clients are measured against."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT = 60.0


class ApiError(Exception):
    """An answer of 400 and more."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Api:
    """One request, one connection. ``ca`` and ``cert`` (certificate and key) are files, for an address with https."""

    url: str
    token: str = ""
    ca: Path | None = None
    cert: tuple[Path, Path] | None = None
    timeout: float = TIMEOUT

    def get(self, path: str, **query: str) -> Any:
        return self.call("GET", path, **query)

    def put(self, path: str, body: Any = b"", **query: str) -> Any:
        return self.call("PUT", path, body, **query)

    def delete(self, path: str, **query: str) -> Any:
        return self.call("DELETE", path, **query)

    def value(self, key: str) -> bytes | None:
        """Of one key; None when there is no such key."""
        pair = self.pair(key)
        return None if pair is None else base64.b64decode(pair["Value"] or "")

    def pair(self, key: str) -> dict[str, Any] | None:
        """One key as the API has it, indexes and session included."""
        try:
            found: dict[str, Any] = self.get(f"/v1/kv/{key}")[0]
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def keys(self, prefix: str) -> list[str]:
        try:
            found: list[str] = self.get(f"/v1/kv/{prefix}", keys="1")
        except ApiError as error:
            if error.status == 404:
                return []
            raise
        return found

    def sessions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/v1/session/list")
        return found

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """JSON of the answer, text that is none as it is, None when it is empty; ``body`` is bytes or JSON."""
        connection = self.connection()
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            target = path + ("?" + urlencode(query) if query else "")
            connection.request(method, target, body=data, headers={"X-Consul-Token": self.token} if self.token else {})
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except http.client.HTTPException as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(response.status, text.strip())
        try:
            return json.loads(text) if text.strip() else None
        except json.JSONDecodeError:
            return text

    def connection(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url)
        assert address.hostname
        if address.scheme == "http":
            return http.client.HTTPConnection(address.hostname, address.port, timeout=self.timeout)
        context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        if self.cert:
            context.load_cert_chain(*map(str, self.cert))
        return http.client.HTTPSConnection(address.hostname, address.port, timeout=self.timeout, context=context)
