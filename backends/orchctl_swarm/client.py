"""The engine's HTTP API through the SDK's session: the only file that touches the SDK.

Its ``APIClient`` gives transport (unix socket, TLS) and registry credentials; paths and bodies are
ours, since its service calls reset what they are not told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from orchctl.core.sdk import need
from orchctl.errors import OutcomeUnknown, Unreachable, UsageError
from orchctl_swarm.failures import from_answer, from_transport
from orchctl_swarm.target import Target

CONNECT_S = 5.0
READ_S = 10.0
"""For reads: a command must not outlive its deadline by much because the engine hangs."""
WRITE_S = 30.0
MOST_BYTES = 64 << 20
_LISTS = ("/services", "/tasks", "/nodes", "/configs", "/secrets", "/networks")
LEAST_API = (1, 41)  # Engine 20.10: the first whose service specs hold everything that is sent here
# What this adapter was written against; a newer engine still speaks it.
BEST_API = (1, 45)

Filters = Mapping[str, list[str]]


class Reading:
    """Requests that change nothing."""

    def __init__(self, target: Target) -> None:
        docker = need("docker", extra="swarm")
        self.where = target.words
        self.patience_s = READ_S
        self.client_certificate = target.cert[0] if target.cert else ""
        try:
            tls = docker.tls.TLSConfig(client_cert=target.cert, verify=target.verify) if target.tls else False
            # A fixed version: the SDK would otherwise ask for it before our time-outs and CA are in place.
            self._api = docker.APIClient(base_url=target.host, version="1.41", timeout=READ_S, tls=tls)
        except docker.errors.DockerException as error:
            raise UsageError(f"{self.where}: {error}") from error
        # Environment bundles and proxies must not override what the context says.
        self._api.trust_env = False
        self._api.verify = target.verify
        self._version = self._negotiate()

    def close(self) -> None:
        self._api.close()

    def get(self, path: str, *, filters: Filters | None = None, **query: str) -> Any:
        """Parsed answer; Unreachable when it is not what an engine answers there."""
        response = self.answer("GET", path, _query(filters, query), stream=True, read_s=self.patience_s)
        return self._parsed(response, path, list if path in _LISTS else dict)

    def peer_certificate(self) -> Mapping[str, Any]:
        """The engine's, as ``ssl.SSLSocket.getpeercert`` has it; {} without TLS, or when it closes after each answer."""
        response = self.answer("GET", "/version", {}, stream=True, read_s=self.patience_s)
        try:
            # The connection is the response's as long as nothing of the answer has been read.
            look = getattr(getattr(response.raw.connection, "sock", None), "getpeercert", None)
            return (look() or {}) if look else {}
        finally:
            response.close()

    def _parsed(self, response: Any, path: str, kind: type) -> Any:
        """Read with a bound and checked: what is at the other end may be a proxy's error page, or anything."""
        import requests

        body = bytearray()
        try:
            for chunk in response.iter_content(1 << 16):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Unreachable(f"{self.where}: the answer to {path} is larger than {MOST_BYTES >> 20} MiB")
            parsed = json.loads(body)
        except requests.exceptions.RequestException as error:
            raise from_transport(error, where=self.where, write=False) from error
        except (ValueError, RecursionError):
            raise Unreachable(f"{self.where}: the answer to {path} is not JSON; is this a container engine?") from None
        finally:
            response.close()
        entries = parsed if isinstance(parsed, list) else [parsed]
        if not isinstance(parsed, kind) or not all(isinstance(e, dict) for e in entries):
            raise Unreachable(f"{self.where}: the answer to {path} is not what a container engine says there")
        return parsed

    def stream(self, path: str, query: Mapping[str, str], *, endless: bool) -> Any:
        """The open answer. One without an end may be silent for as long as it likes."""
        return self.answer("GET", path, query, stream=True, read_s=None if endless else READ_S)

    def registry_auth(self, image: str) -> dict[str, str]:
        """The header with this user's credentials for the registry of ``image``, {} when there are none."""
        docker = need("docker", extra="swarm")
        try:
            registry, _ = docker.auth.resolve_repository_name(image)
            header = docker.auth.get_config_header(self._api, registry)
        except docker.errors.DockerException as error:
            raise UsageError(f"credentials for the registry of {image}: {error}") from error
        if not header:
            return {}
        return {"X-Registry-Auth": header.decode("ascii") if isinstance(header, bytes) else str(header)}

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        read_s: float | None = READ_S,
    ) -> Any:
        """The answer of one request; errors of orchctl for all that can go wrong."""
        import requests

        sent = {"Content-Type": "application/json", **(headers or {})}
        try:
            response = self._api.request(
                method,
                f"{self._api.base_url}/v{self._version}{quote(path, safe='/:@')}",
                params=query,
                data=None if body is None else json.dumps(body),
                headers=sent,
                stream=stream,
                timeout=(CONNECT_S if read_s is None else min(CONNECT_S, read_s), read_s),
            )
        except requests.exceptions.RequestException as error:
            raise from_transport(error, where=self.where, write=method != "GET") from error
        if response.status_code >= 400:
            raise from_answer(response.status_code, _message(response), where=self.where, write=method != "GET")
        return response

    def _negotiate(self) -> str:
        """One ``GET /version`` without a version in its path, as every engine answers it."""
        import requests

        try:
            response = self._api.get(f"{self._api.base_url}/version", timeout=(CONNECT_S, READ_S))
        except requests.exceptions.RequestException as error:
            raise from_transport(error, where=self.where, write=False) from error
        if response.status_code >= 400:
            raise from_answer(response.status_code, _message(response), where=self.where, write=False)
        try:
            offered = response.json()
            newest, oldest = _number(offered["ApiVersion"]), _number(offered.get("MinAPIVersion", "1.12"))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unreachable(f"{self.where}: this is no container engine") from None
        if newest < LEAST_API:
            raise UsageError(
                f"{self.where}: its API is {_text(newest)}, orchctl needs {_text(LEAST_API)} (Engine 20.10) or newer"
            )
        if oldest > BEST_API:
            return _text(oldest)
        return _text(min(newest, BEST_API))


class Writing:
    """Requests that change something, each preceded by a look at the fence."""

    def __init__(self, reading: Reading, check: Callable[[], None]) -> None:
        self._reading = reading
        self._check = check

    def post(self, path: str, body: Any, *, headers: Mapping[str, str] | None = None, **query: str) -> Any:
        """Parsed answer, None when it is empty."""
        self._check()
        response = self._reading.answer("POST", path, query, body=body, headers=headers, read_s=WRITE_S)
        try:
            return response.json() if response.content.strip() else None
        except (ValueError, RecursionError):
            raise OutcomeUnknown(f"{self._reading.where}: the answer to a write is not JSON") from None

    def delete(self, path: str) -> None:
        self._check()
        self._reading.answer("DELETE", path, {}, read_s=WRITE_S)


def _query(filters: Filters | None, query: Mapping[str, str]) -> dict[str, str]:
    return {**query, "filters": json.dumps(filters)} if filters else dict(query)


def _message(response: Any) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return str(response.text).strip()[:300] or f"HTTP {response.status_code}"


def _number(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
