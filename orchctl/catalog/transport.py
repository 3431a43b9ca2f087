"""py-consul's client with a transport of our own: the only file that touches the SDK.

py-consul 1.8 makes paths, parameters and bodies. What it sends them with has no bound on the answer's size, follows
redirections, lets the environment's bundle replace the configured authority and its proxies take the connection, and
takes CONSUL_HTTP_TOKEN over the token that it was given. Its ``http_connect`` is where another transport goes in.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from typing import Any

import consul
import requests
import urllib3
from consul import base
from consul.std import parse_duration

from orchctl.catalog.failures import from_answer, from_transport
from orchctl.catalog.target import Target
from orchctl.errors import AuthRefused, OrchctlError, OutcomeUnknown, Unreachable, UsageError

CONNECT_S = 5.0
READ_S = 10.0
"""Longer than the 7 s for which an agent itself waits for a leader before it says that there is none."""
WRITE_S = 10.0
IMPATIENT_S = 2.0
"""After a request that was not answered in time, until one is: a command that ends asks several more (it gives its lease
back), and must not take the whole time-out for each."""
MOST_BYTES = 64 << 20
_PIECE = 1 << 16
_SLOWEST = 3
"""An answer that comes in drops is given up after this many times its time-out."""
_HIDDEN = "X-Consul-Results-Filtered-By-ACLs"
_KEYS = "/v1/kv/"
"""What is listed there is ours alone. In the catalog others have entries that are none of our business."""
_TRANSACTION = "/v1/txn"

Params = Sequence[tuple[str, Any]] | None
Headers = dict[str, str] | None
Callback = Callable[[Any], Any]


class Transport(base.HTTPClient):  # type: ignore[misc]
    """One agent. Raises errors of orchctl for all but 200, a 404, and the 409 of a transaction."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, target.scheme, target.verify, target.cert)
        self._where = target.words
        self._session = requests.Session()
        self._session.trust_env = False  # or REQUESTS_CA_BUNDLE would stand over ``verify``
        # Where a redirect is not to be followed, requests 2.34 still reads all of its body, and parses its Location.
        self._session.get_redirect_target = lambda _response: None  # type: ignore[assignment, method-assign]
        self.patience_s = READ_S
        self._is_silent = False

    def get(
        self,
        callback: Callback,
        path: str,
        params: Params = None,
        headers: Headers = None,
        raw: bool = False,  # noqa: ARG002 - py-consul's signature
    ) -> Any:
        return callback(self._answer("GET", path, params, headers))

    def put(
        self, callback: Callback, path: str, params: Params = None, data: str | bytes = "", headers: Headers = None
    ) -> Any:
        return callback(self._answer("PUT", path, params, headers, data))

    def delete(
        self, callback: Callback, path: str, params: Params = None, data: str | bytes = "", headers: Headers = None
    ) -> Any:
        return callback(self._answer("DELETE", path, params, headers, data))

    def post(
        self, callback: Callback, path: str, params: Params = None, data: str = "", headers: Headers = None
    ) -> Any:
        return callback(self._answer("POST", path, params, headers, data))

    def close(self) -> None:
        self._session.close()

    def _answer(self, method: str, path: str, params: Params, headers: Headers, data: str | bytes = "") -> Any:
        write, patience = method != "GET", self._patience(method, params)
        try:
            response = self._session.request(
                method,
                self.uri(path, list(params or ())),
                data=data,
                headers={**(headers or {}), "Accept-Encoding": "identity"},
                timeout=(min(CONNECT_S, patience), patience),
                verify=self.verify,
                cert=self.cert,
                allow_redirects=False,
                stream=True,
            )
            text = self._body(response, patience, write=write)
        except requests.exceptions.RequestException as error:
            self._is_silent = isinstance(error, requests.exceptions.Timeout)
            raise from_transport(error, where=self._where, write=write) from error
        except OSError as error:  # what requests makes of a file with certificates that is not there
            raise UsageError(f"{self._where}: {error}") from error
        self._is_silent = False
        self._accept(response, path, text, write=write)
        return base.Response(response.status_code, response.headers, text)

    def _patience(self, method: str, params: Params) -> float:
        """A blocking query is answered after its wait and up to a sixteenth more (Consul's documentation)."""
        usual = WRITE_S if method != "GET" else self.patience_s
        given = dict(params or ())
        wait = parse_duration(given["wait"]) if "index" in given and "wait" in given else 0.0
        return float((min(usual, IMPATIENT_S) if self._is_silent else usual) + wait * 17 / 16)

    def _accept(self, response: requests.Response, path: str, text: str, *, write: bool) -> None:
        status = response.status_code
        if status == 200:
            if response.headers.get(_HIDDEN) == "true" and path.startswith(_KEYS):
                hint = "the token's policy needs to read the whole prefix"
                raise AuthRefused(f"{self._where}: the token may not see all of {path.removeprefix(_KEYS)}", hint=hint)
            return
        if status != 404 and not (status == 409 and path == _TRANSACTION):
            raise from_answer(status, text, where=self._where, write=write)

    def _body(self, response: requests.Response, patience: float, *, write: bool) -> str:
        """Read with a bound in size and in time: what is at the other end may be anything."""
        content, until = bytearray(), time.monotonic() + _SLOWEST * patience
        try:
            while piece := response.raw.read1(_PIECE):
                content += piece
                if len(content) > MOST_BYTES:
                    raise self._lost(f"the answer is larger than {MOST_BYTES >> 20} MiB", write=write)
                if time.monotonic() > until:
                    raise self._lost("the answer comes too slowly", write=write)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise self._lost(f"the answer broke off: {error}", write=write) from error
        finally:
            response.close()
        return content.decode("utf-8", "replace")

    def _lost(self, reason: str, *, write: bool) -> OrchctlError:
        text = f"{self._where}: {reason}"
        return OutcomeUnknown(f"{text} (the request may have been carried out)") if write else Unreachable(text)


class Client(consul.Consul):  # type: ignore[misc]
    """py-consul's, for one Target. Every read asks the leader that a majority confirms (``consistent``)."""

    def __init__(self, target: Target) -> None:
        self._target = target
        super().__init__(
            host=target.host,
            port=target.port,
            scheme=target.scheme,
            verify=target.verify,
            cert=target.cert,
            consistency="consistent",
            dc=target.datacenter or None,
        )
        # After the constructor, which prefers CONSUL_HTTP_TOKEN to an argument (1.8.0, base.py).
        self.token = target.token.reveal().decode("ascii") if target.token else None

    def http_connect(self, *_words: Any, **_options: Any) -> Transport:
        return Transport(self._target)
