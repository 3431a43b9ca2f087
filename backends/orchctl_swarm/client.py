"""The engine's HTTP API through the SDK's session: the only file that touches the SDK.

Its ``APIClient`` gives transport (unix socket, TLS) and registry credentials; paths and bodies are
ours, since its service calls reset what they are not told.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from orchctl.core.sdk import need
from orchctl.core.transport import reason
from orchctl.errors import OrchctlError, OutcomeUnknown, Unreachable, UsageError
from orchctl_swarm.failures import from_answer, from_transport
from orchctl_swarm.target import Target

CONNECT_S = 5.0
READ_S = 10.0
"""For reads: a command must not outlive its deadline by much because the engine hangs."""
WRITE_S = 30.0
HELPER_S = 30.0
"""For a program that yields a registry's credentials, and may ask a person."""
MOST_BYTES = 64 << 20
_PIECE = 1 << 16
_SLOWEST = 3
"""An answer that comes in drops is given up after this many times its time-out."""
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
            # The SDK repeats the address, in which a password may stand.
            raise UsageError(f"{self.where}: {str(error).replace(target.host, target.shown)}") from None
        # Environment bundles and proxies must not override what the context says.
        self._api.trust_env = False
        self._api.verify = target.verify
        # Where a redirect is not to be followed, requests 2.34 still reads all of its body, and parses its Location.
        self._api.get_redirect_target = lambda _response: None
        self._version = self._negotiate()

    def close(self) -> None:
        self._api.close()

    def get(
        self, path: str, *, filters: Filters | None = None, headers: Mapping[str, str] | None = None, **query: str
    ) -> Any:
        """Parsed answer; Unreachable when it is not what an engine answers there."""
        response = self.answer("GET", path, _query(filters, query), headers=headers, read_s=self.patience_s)
        return self._parsed(response, path, list if path in _LISTS else dict)

    def peer_certificate(self) -> Mapping[str, Any]:
        """The engine's, as ``ssl.SSLSocket.getpeercert`` has it; {} without TLS, or when it closes after each answer."""
        response = self.answer("GET", "/version", {}, read_s=self.patience_s)
        try:
            # The connection is the response's as long as nothing of the answer has been read.
            look = getattr(getattr(response.raw.connection, "sock", None), "getpeercert", None)
            return (look() or {}) if look else {}
        finally:
            response.close()

    def _parsed(self, response: Any, path: str, kind: type) -> Any:
        """Read with a bound and checked: what is at the other end may be a proxy's error page, or anything."""
        try:
            parsed = json.loads(self._body(response, path, write=False))
        except (ValueError, RecursionError):
            raise Unreachable(f"{self.where}: the answer to {path} is not JSON; is this a container engine?") from None
        entries = parsed if isinstance(parsed, list) else [parsed]
        if not isinstance(parsed, kind) or not all(isinstance(e, dict) for e in entries):
            raise Unreachable(f"{self.where}: the answer to {path} is not what a container engine says there")
        return parsed

    def _body(self, response: Any, path: str, *, write: bool) -> bytes:
        """All of it, bounded in size and in time: a body that trickles would take hours to wait for."""
        import http.client

        import urllib3

        body, until = bytearray(), time.monotonic() + _SLOWEST * (WRITE_S if write else self.patience_s)
        try:
            while piece := response.raw.read1(_PIECE, decode_content=True):
                body += piece
                if len(body) > MOST_BYTES:
                    raise self._lost(f"the answer to {path} is larger than {MOST_BYTES >> 20} MiB", write=write)
                if time.monotonic() > until:
                    raise self._lost(f"the answer to {path} comes too slowly", write=write)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise self._lost(f"the answer to {path} broke off: {reason(error)}", write=write) from error
        finally:
            response.close()
        return bytes(body)

    def _lost(self, what: str, *, write: bool) -> OrchctlError:
        text = f"{self.where}: {what}"
        return OutcomeUnknown(f"{text} (the request may have been carried out)") if write else Unreachable(text)

    def stream(self, path: str, query: Mapping[str, str], *, endless: bool) -> Any:
        """The open answer. One without an end may be silent for as long as it likes."""
        return self.answer("GET", path, query, read_s=None if endless else READ_S)

    def registry_auth(self, image: str) -> dict[str, str]:
        """The header with this user's credentials for the registry of ``image``, {} when there are none."""
        docker = need("docker", extra="swarm")
        found: list[Any] = []

        def ask() -> None:
            try:
                registry, _ = docker.auth.resolve_repository_name(image)
                found.append(docker.auth.get_config_header(self._api, registry))
            except (docker.errors.DockerException, OSError, ValueError, KeyError, TypeError) as error:
                found.append(error)

        # The SDK waits for a credential helper as long as that likes; a thread that hangs there keeps nobody.
        helper = threading.Thread(target=ask, daemon=True)
        helper.start()
        helper.join(HELPER_S)
        header = found[0] if found else TimeoutError(f"no answer within {HELPER_S:g} s")
        if isinstance(header, Exception):
            raise UsageError(f"credentials for the registry of {image}: {header}") from header
        if not header:
            return {}
        return {"X-Registry-Auth": header.decode("ascii") if isinstance(header, bytes) else str(header)}

    def distribution(self, image: str) -> Any:
        """What the registry says of ``image``, asked by the engine with this user's credentials."""
        return self.get(f"/distribution/{image}/json", headers=self.registry_auth(image))

    def change(
        self, method: str, path: str, query: Mapping[str, str], *, body: Any, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Parsed answer of a write, None when it is empty."""
        response = self.answer(method, path, query, body=body, headers=headers, read_s=WRITE_S)
        content = self._body(response, path, write=True)
        try:
            return json.loads(content) if content.strip() else None
        except (ValueError, RecursionError):
            raise OutcomeUnknown(f"{self.where}: the answer to a write is not JSON") from None

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        read_s: float | None = READ_S,
    ) -> Any:
        """The open answer of one request; errors of orchctl for all that can go wrong."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        address = f"{self._api.base_url}/v{self._version}{quote(path, safe='/:@')}"
        data = None if body is None else json.dumps(body)
        return self._request(method, address, path, read_s, params=query, data=data, headers=sent)

    def _request(self, method: str, address: str, path: str, read_s: float | None, **words: Any) -> Any:
        import requests

        write = method != "GET"
        try:
            response = self._api.request(
                method,
                address,
                stream=True,
                # Nobody but the engine gets a registry's credentials, and a GET elsewhere is no answer to a POST.
                allow_redirects=False,
                timeout=(CONNECT_S if read_s is None else min(CONNECT_S, read_s), read_s),
                **words,
            )
        except requests.exceptions.RequestException as error:
            raise from_transport(error, where=self.where, write=write) from error
        if response.status_code >= 400:
            raise from_answer(response.status_code, self._message(response, path), where=self.where, write=write)
        if response.status_code >= 300:
            response.close()
            raise Unreachable(
                f"{self.where}: it sends us elsewhere for {path}, which no container engine does",
                hint="name the engine's own address in the context's host; nothing was sent to the other one",
            )
        return response

    def _message(self, response: Any, path: str) -> str:
        """The engine's sentence, or what there is of another's: the status tells already what it means."""
        status = f"HTTP {response.status_code}"
        try:
            text = self._body(response, path, write=False).decode("utf-8", "replace")
        except Unreachable as error:
            return f"{status}; {error.message.removeprefix(f'{self.where}: ')}"
        try:
            return str(json.loads(text)["message"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return text.strip()[:300] or status

    def _negotiate(self) -> str:
        """One ``GET /version`` without a version in its path, as every engine answers it."""
        response = self._request("GET", f"{self._api.base_url}/version", "/version", READ_S)
        try:
            offered = json.loads(self._body(response, "/version", write=False))
            newest, oldest = _number(offered["ApiVersion"]), _number(offered.get("MinAPIVersion", "1.12"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
        return self._reading.change("POST", path, query, body=body, headers=headers)

    def create(self, path: str, body: Any, *, headers: Mapping[str, str] | None = None) -> str:
        """The ID of what was made."""
        made = self.post(path, body, headers=headers)
        identity = made.get("ID") if isinstance(made, dict) else None
        if not isinstance(identity, str):
            raise OutcomeUnknown(f"{self._reading.where}: the answer to {path} names nothing that was made")
        return identity

    def delete(self, path: str) -> None:
        self._check()
        self._reading.change("DELETE", path, {}, body=None)


def _query(filters: Filters | None, query: Mapping[str, str]) -> dict[str, str]:
    return {**query, "filters": json.dumps(filters)} if filters else dict(query)


def _number(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
