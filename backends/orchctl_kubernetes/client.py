"""The API over HTTPS: the only file that sends requests.

The SDK gives credentials and a TLS connection pool (``target.configuration``); paths and bodies are ours and plain
JSON. Its typed models cost 9 to 15 times the transport for a list of a thousand, and validate what newer servers
say (kubernetes-client/python#394).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from orchctl import __version__
from orchctl.core.sdk import need
from orchctl.errors import AuthRefused, FieldConflict, OrchctlError, OutcomeUnknown, Unreachable
from orchctl_kubernetes.failures import NotAuthenticated, from_answer, from_transport
from orchctl_kubernetes.names import FIELD_MANAGER
from orchctl_kubernetes.target import Target, configuration

Json = dict[str, Any]
Items = list[Json]

CONNECT_S = 5.0
READ_S = 10.0
"""For reads: a command must not outlive its deadline by much because the API server hangs."""
WRITE_S = 30.0
MOST_BYTES = 128 << 20
_PIECE = 1 << 16
_RENEW_EVERY_S = 20.0
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Reading:
    """Requests that change nothing."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.patience_s = READ_S
        self._renewed_at = float("-inf")
        self.last_date = ""
        """``Date`` of the latest answer, as the server wrote it."""
        self._open()

    def _open(self) -> None:
        rest = need("kubernetes.client.rest", extra="kubernetes")
        self._configuration = configuration(self._target)
        self._pool = rest.RESTClientObject(self._configuration).pool_manager
        self.server = str(self._configuration.host).rstrip("/")
        unverified = "" if self._configuration.verify_ssl else ", its certificate NOT VERIFIED"
        self.where = f"{self.server} ({self._target.source}{unverified})"

    def close(self) -> None:
        self._pool.clear()

    @property
    def client_certificate(self) -> str:
        """Path of the client certificate in use, "" when there is none."""
        return str(self._configuration.cert_file or "")

    def get(self, path: str, **query: str) -> Json:
        """One object; NotFound, AuthRefused, Unreachable when it is not what an API server answers there."""
        return self.request("GET", path, query)

    def list(self, path: str, *, labels: Mapping[str, str] | None = None, name: str = "") -> Items:
        """The items of a collection, by labels, by name, or all."""
        return self._items(path, labels, name, accept="application/json")

    def list_metadata(self, path: str, *, labels: Mapping[str, str]) -> Items:
        """Items with their metadata alone: a tenth of the bytes."""
        return self._items(path, labels, "", accept=_METADATA_ONLY)

    def _items(self, path: str, labels: Mapping[str, str] | None, name: str, *, accept: str) -> Items:
        query = {"labelSelector": ",".join(f"{k}={v}" for k, v in sorted(labels.items()))} if labels else {}
        query |= {"fieldSelector": f"metadata.name={name}"} if name else {}
        items = self.request("GET", path, query, headers={"Accept": accept}).get("items")
        if items is None:
            return []
        if not isinstance(items, list) or not all(isinstance(i, dict) and _named(i) for i in items):
            raise Unreachable(f"{self.where}: the answer to {path} is not what an API server says there")
        return items

    def post_review(self, path: str, body: Json) -> Json:
        """A question that the API takes as a POST (an access review): it changes nothing."""
        return self.request("POST", path, {}, body=body)

    def stream(self, path: str, query: Mapping[str, str], *, endless: bool) -> Iterator[bytes]:
        """The body in pieces as they come. One without an end may be silent for as long as it likes."""
        response = self._answer("GET", path, query, read_s=None if endless else READ_S)
        return self._pieces(response)

    def _pieces(self, response: Any) -> Iterator[bytes]:
        from urllib3 import exceptions

        try:
            while piece := response.read1(_PIECE):
                yield piece
        except (exceptions.HTTPError, OSError) as error:
            raise from_transport(error, where=self.where, write=False) from error
        finally:
            response.close()

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        write: bool = False,
    ) -> Json:
        """The JSON object answered, read with a bound: what is at the other end may be anything."""
        patience = WRITE_S if write else self.patience_s
        response = self._answer(method, path, query, body=body, headers=headers, read_s=patience, write=write)
        content = self._content(response, path, patience, write=write)
        try:
            parsed = json.loads(content)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            text = f"{self.where}: the answer to {path} is not a JSON object; is this a Kubernetes API server?"
            raise OutcomeUnknown(text) if write else Unreachable(text)
        return parsed

    def _content(self, response: Any, path: str, patience: float, *, write: bool = False) -> bytes:
        from urllib3 import exceptions

        content, until = bytearray(), time.monotonic() + 3 * patience
        try:
            while piece := response.read(_PIECE):
                content += piece
                if len(content) > MOST_BYTES:
                    raise self._lost(f"the answer to {path} is larger than {MOST_BYTES >> 20} MiB", write=write)
                if time.monotonic() > until:
                    raise self._lost(f"the answer to {path} comes too slowly", write=write)
        except (exceptions.HTTPError, OSError) as error:
            response.close()
            raise from_transport(error, where=self.where, write=write) from error
        except Unreachable:
            response.close()
            raise
        response.release_conn()
        return bytes(content)

    def _lost(self, what: str, *, write: bool) -> OrchctlError:
        text = f"{self.where}: {what}"
        return OutcomeUnknown(f"{text} (the request may have been carried out)") if write else Unreachable(text)

    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        read_s: float | None,
        write: bool = False,
    ) -> Any:
        """The open answer of one request; errors of orchctl for everything else.

        Refused credentials are built anew once (an exec plugin's token may have ended during a long wait): a request
        refused with 401 was not carried out, so it may be sent again. A read whose connection was cut is tried once more.
        """
        tries = 1 if write else 2
        renewed = False
        while True:
            try:
                return self._once(method, path, query, body=body, headers=headers, read_s=read_s, write=write)
            except NotAuthenticated:
                if renewed or not self._may_renew():
                    raise
                renewed = True
                self._open()
            except Unreachable as cut:
                tries -= 1
                if not tries or not _was_cut(cut):
                    raise

    def _may_renew(self) -> bool:
        """Not at every look of a long wait: a plugin may ask a person each time."""
        if time.monotonic() - self._renewed_at < _RENEW_EVERY_S:
            return False
        self._renewed_at = time.monotonic()
        return True

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: Any,
        headers: Mapping[str, str] | None,
        read_s: float | None,
        write: bool,
    ) -> Any:
        import urllib3

        sent = {"Accept": "application/json", "User-Agent": f"orchctl/{__version__}", **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if token := self.token():
            sent["Authorization"] = token
        try:
            response = self._pool.request(
                method,
                self.server + path + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=sent,
                timeout=urllib3.Timeout(connect=min(CONNECT_S, read_s or CONNECT_S), read=read_s),
                preload_content=False,
                redirect=False,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise from_transport(error, where=self.where, write=write) from error
        self.last_date = str(response.headers.get("Date", ""))
        if response.status >= 300:
            raise self._refusal(response, path, write=write)
        return response

    def token(self) -> str:
        """The header's value; the SDK's hook renews what has ended."""
        try:
            key = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        except Exception as error:  # exec plugins and token files fail in their own ways
            raise AuthRefused(f"{self.where}: the credentials could not be renewed: {error}") from error
        if not key:
            return ""
        return str(key).strip() if " " in str(key).strip() else f"Bearer {str(key).strip()}"

    def _refusal(self, response: Any, path: str, *, write: bool) -> OrchctlError:
        try:
            status = json.loads(self._content(response, path, READ_S))
        except (ValueError, RecursionError, Unreachable):
            status = {}
        known = status if isinstance(status, dict) and status.get("kind") == "Status" else {}
        return from_answer(int(response.status), known, where=self.where, write=write)


class Writing:
    """Requests that change something, each preceded by a look at the fence."""

    def __init__(self, reading: Reading, check: Callable[[], None]) -> None:
        self._reading = reading
        self._check = check

    def apply(self, path: str, body: Json, *, force: bool = False, manager: str = FIELD_MANAGER) -> Json:
        """Server-side apply; FieldConflict when another manager has set one of its fields, unless ``force``.

        Strict validation: a field that this API server does not know is refused, never dropped.
        """
        query = {"fieldManager": manager, "fieldValidation": "Strict"} | ({"force": "true"} if force else {})
        try:
            return self._send("PATCH", path, query, body, "application/apply-patch+yaml")
        except FieldConflict as conflict:  # the answer does not say of what
            name = (body.get("metadata") or {}).get("name", "")
            raise FieldConflict(str(body.get("kind", "")), str(name), conflict.fields) from None

    def merge(self, path: str, body: Json) -> Json:
        """JSON merge patch; conditional when ``body`` names a resourceVersion."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return self._send("PATCH", path, query, body, "application/merge-patch+json")

    def create(self, path: str, body: Json) -> Json:
        """POST to a collection; AlreadyExists."""
        return self._send("POST", path, {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}, body)

    def delete(self, path: str, *, uid: str, version: str = "", foreground: bool = False) -> None:
        """Remove exactly the object of that ``uid`` (and resourceVersion); StalePlan when it is another by now."""
        conditions = {"uid": uid} | ({"resourceVersion": version} if version else {})
        propagation = "Foreground" if foreground else "Background"
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": conditions} | {
            "propagationPolicy": propagation
        }
        self._send("DELETE", path, {}, body)

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Json, kind: str = "application/json"
    ) -> Json:
        self._check()
        return self._reading.request(method, path, query, body=body, headers={"Content-Type": kind}, write=True)


def _named(item: Json) -> bool:
    metadata = item.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get("name"), str)


def _was_cut(error: Unreachable) -> bool:
    """An idle connection that the other side has just closed, not a server that cannot be reached."""
    from urllib3 import exceptions

    return isinstance(error.__cause__, exceptions.ProtocolError)
