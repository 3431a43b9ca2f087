"""Marathon's HTTP API: the only file that sends requests to it.

Redirects are never followed by the library, and by us only inside the configured set of servers, because a standby may
point anywhere and credentials must not go there. Bodies are read with a bound in size and in time.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from orchctl import __version__
from orchctl.core.sdk import need
from orchctl.errors import NotFound, OrchctlError, OutcomeUnknown, Unreachable, UsageError
from orchctl_marathon.answers import is_app, is_deployment, is_update
from orchctl_marathon.failures import NoLeader, from_answer, from_mesos, from_transport
from orchctl_marathon.stream import Stream
from orchctl_marathon.target import Target, origin_of

Json = dict[str, Any]
Query = Mapping[str, str | Sequence[str]]

CONNECT_S = 5.0
READ_S = 10.0
"""For reads: a command must not outlive its deadline by much because a server hangs."""
WRITE_S = 30.0
STREAM_S = 90.0
"""Of silence in a stream; an idle Marathon sends a line end every few seconds."""
MOST_BYTES = 64 << 20
LARGEST_APP = 512 << 10
"""Bytes of a request. An app of 1.1 MB ended the process of a Marathon's leader (its store takes no larger node)."""
OLDEST = (1, 8)
_PIECE = 1 << 16
_SLOWEST = 3
"""An answer that comes in drops is given up after this many times its time-out."""
_DEEPEST = 100
"""Levels of an answer; groups within groups have two for each."""
_WITH_REASON = (404, 409)
"""What Marathon says with a JSON object. Another 404 is that of a proxy, and no proof that the app is not there."""
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is asked, for errors: ``where`` in full, and what it should be."""

    where: str
    name: str = "Marathon"

    def is_not(self, path: str, *, write: bool = False) -> OrchctlError:
        """The error of an answer that has not the shape it should have; of a write: it may have been carried out."""
        text = f"{self.where}: the answer to {path} is not what {self.name} says there"
        return OutcomeUnknown(text) if write else Unreachable(text, hint=f"is this address a {self.name}?")

    def is_lost(self, reason: str, *, write: bool) -> OrchctlError:
        """The error of an answer that did not come whole."""
        text = f"{self.where}: {reason}"
        return OutcomeUnknown(f"{text} (the request may have been carried out)") if write else Unreachable(text)


class Reading:
    """Requests that change nothing."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.where = target.words
        self._marathon = Peer(target.words)
        self.patience_s = READ_S
        self.last_date = ""
        """``Date`` of the latest answer, as the server wrote it."""
        self._session = _session()
        self._session.headers["User-Agent"] = f"orchctl/{__version__}"
        self._first = 0
        self._info: Json = {}

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, query: Query | None = None) -> Json:
        """The JSON object answered; NotFound, AuthRefused, Unreachable when it is not what Marathon answers there."""
        return self._object(self.send("GET", path, query), path)

    def deployments(self) -> list[Json]:
        """Those that run, of anybody."""
        found = self.send("GET", "/v2/deployments")
        if not isinstance(found, list) or not all(is_deployment(i) for i in found):
            raise self.not_marathon("/v2/deployments")
        return found

    def get_list(self, path: str, key: str, is_right: Callable[[Any], bool], query: Query | None = None) -> list[Json]:
        """What the object answered has under ``key``; Unreachable when it is not a list of what ``is_right``."""
        found = self.get(path, query).get(key)
        if not isinstance(found, list) or not all(is_right(i) for i in found):
            raise self.not_marathon(path)
        return found

    def info(self) -> Json:
        """``GET /v2/info``, once."""
        self._info = self._info or self.get("/v2/info")
        return self._info

    def version(self) -> tuple[int, int]:
        """Major and minor; UsageError for a Marathon that is too old."""
        text = str(self.info().get("version", ""))
        parts = text.split(".")
        if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
            raise Unreachable(f"{self.where}: {text!r} is no version; is this a Marathon?")
        found = int(parts[0]), int(parts[1])
        if found < OLDEST:
            raise UsageError(f"{self.where}: this is Marathon {text}; orchctl needs 1.8 or newer")
        return found

    def send(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Any:
        """Parsed answer, None when it is empty. Every server of the set is tried where nothing can have been sent."""
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None and len(sent) > LARGEST_APP:
            raise UsageError(f"the app has {len(sent)} bytes; orchctl sends Marathon at most {LARGEST_APP}")
        last: OrchctlError | None = None
        for url in self._in_turn():
            try:
                answer = self._one(url, method, path, query, sent)
            except Unreachable as error:
                if method != "GET" and not isinstance(error, NoLeader):
                    raise
                last = error
                continue
            self._first = self.target.urls.index(url)
            return answer
        assert last is not None
        raise last

    def _in_turn(self) -> Iterator[str]:
        """The server that answered last, then the others."""
        urls = self.target.urls
        yield from (urls[(self._first + n) % len(urls)] for n in range(len(urls)))

    def _one(self, url: str, method: str, path: str, query: Query | None, sent: bytes | None) -> Any:
        """One request, and at most one redirect within the set."""
        write = method != "GET"
        address, params = url + path, query
        for _ in range(2):
            response = self._request(method, address, params, sent, write=write)
            if response.status_code not in _REDIRECTS:
                return self._result(response, path, write=write)
            address, params = self._elsewhere(response, address), None
        raise Unreachable(f"{self.where}: one redirect after another at {path}")

    def _request(
        self,
        method: str,
        address: str,
        query: Query | None,
        sent: bytes | None,
        *,
        write: bool,
        with_auth: bool = True,
        session: Any = None,
        headers: Mapping[str, str] | None = None,
        read_s: float = 0.0,
        peer: Peer | None = None,
    ) -> Any:
        import requests

        peer = peer or self._marathon
        patience = read_s or (WRITE_S if write else self.patience_s)
        headers = {"Accept": "application/json", **(self.target.auth.header() if with_auth else {}), **(headers or {})}
        if sent is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = (session or self._session).request(
                method,
                address,
                params=query,
                data=sent,
                headers=headers,
                stream=True,
                allow_redirects=False,
                verify=self.target.verify,
                timeout=(min(CONNECT_S, self.patience_s), patience),
            )
        except requests.exceptions.RequestException as error:
            raise from_transport(error, where=peer.where, write=write, server=peer.name) from error
        except OSError as error:  # what requests makes of a file with certificates that is not there
            raise UsageError(f"{peer.where}: {error}") from error
        self.last_date = response.headers.get("Date", "")
        return response

    def _elsewhere(self, response: Any, address: str) -> str:
        """Where a redirect leads, when that is one of our own servers."""
        response.close()
        location = str(response.headers.get("Location", ""))
        goal = _joined(address, location)
        if not goal or origin_of(goal) not in {origin_of(u) for u in self.target.urls}:
            raise Unreachable(
                f"{self.where}: it sends us to {location or 'nowhere'}, which is not among the context's urls",
                hint="add that address to urls if it belongs to this Marathon; credentials were not sent there",
            )
        return goal

    def _result(self, response: Any, path: str, *, write: bool) -> Any:
        status, parsed = response.status_code, self._parsed(response, path, self._marathon, write=write)
        if status in _WITH_REASON and not isinstance(parsed, dict):
            raise self.not_marathon(path, write=write)
        if status >= 400:
            raise from_answer(status, parsed, where=self.where, write=write)
        if not 200 <= status < 300 or (parsed is None and not (write and status in (202, 204))):
            raise self.not_marathon(path, write=write)
        return parsed

    def _parsed(self, response: Any, path: str, peer: Peer, *, write: bool) -> Any:
        """None for an empty body; a text where an error's body is not JSON."""
        content = self._content(response, path, peer, write=write)
        try:
            # Mesos puts the bytes of a file into its JSON as they are (HubSpot/Singularity#1334).
            parsed = json.loads(content.decode("utf-8", "replace")) if content.strip() else None
        except (ValueError, RecursionError):
            if response.status_code < 400:
                raise peer.is_not(path, write=write) from None
            text = content[:2000].decode("utf-8", "replace")
            return "" if text.lstrip().startswith("<") else text  # a page for people, of a proxy or of Jetty
        if is_deeper_than(parsed, _DEEPEST):
            raise peer.is_not(path, write=write)
        return parsed

    def _content(self, response: Any, path: str, peer: Peer, *, write: bool) -> bytes:
        """Read as it comes: a whole piece of a body that trickles would take hours to wait for."""
        import urllib3

        body, until = bytearray(), time.monotonic() + _SLOWEST * (WRITE_S if write else self.patience_s)
        try:
            while piece := response.raw.read1(_PIECE, decode_content=True):
                body += piece
                if len(body) > MOST_BYTES:
                    raise peer.is_lost(f"the answer to {path} is larger than {MOST_BYTES >> 20} MiB", write=write)
                if time.monotonic() > until:
                    raise peer.is_lost(f"the answer to {path} comes too slowly", write=write)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise peer.is_lost(f"the answer to {path} broke off: {error}", write=write) from error
        finally:
            response.close()
        return bytes(body)

    def stream(self, path: str, query: Query | None = None) -> Stream:
        """The open answer of an endless one, over a connection of its own: another thread may read it."""
        last: OrchctlError | None = None
        for url in self._in_turn():
            try:
                return self._stream_from(url + path, query)
            except Unreachable as error:
                last = error
        assert last is not None
        raise last

    def _stream_from(self, address: str, query: Query | None) -> Stream:
        with contextlib.ExitStack() as undo:
            session = _session()
            undo.callback(session.close)
            response = self._stream_of(session, address, query)
            undo.callback(response.close)
            stream = Stream(session, response, self.where)
            undo.pop_all()
            return stream

    def _stream_of(self, session: Any, address: str, query: Query | None) -> Any:
        headers = {"Accept": "text/event-stream"}
        for _ in range(2):
            response = self._request(
                "GET", address, query, None, write=False, session=session, headers=headers, read_s=STREAM_S
            )
            if response.status_code == 200:
                return response
            if response.status_code not in _REDIRECTS:
                response.close()
                raise Unreachable(f"{self.where}: {address} answers {response.status_code}")
            address, query = self._elsewhere(response, address), None
        raise Unreachable(f"{self.where}: one redirect after another at {address}")

    def fetch(self, address: str, query: Query | None = None, *, ours: bool = False) -> Json:
        """The JSON object that the server at ``address`` answers: a Mesos, or one of ``ours``. Credentials go to ours only."""
        if ours:
            response = self._request("GET", address, query, None, write=False)
            if response.status_code == 404:
                response.close()
                raise NotFound(f"{address} is not there")
            return self._object(self._result(response, address, write=False), address)
        parts = urlsplit(address)
        peer = Peer(f"Mesos at {parts.scheme}://{parts.netloc}", "Mesos")
        response = self._request("GET", address, query, None, write=False, with_auth=False, peer=peer)
        found, status = self._parsed(response, parts.path, peer, write=False), response.status_code
        if status == 307 or status >= 400:
            raise from_mesos(status, found, where=peer.where)
        if status != 200 or not isinstance(found, dict):
            raise peer.is_not(parts.path)
        return found

    def _object(self, found: Any, path: str) -> Json:
        if not isinstance(found, dict):
            raise self.not_marathon(path)
        return found

    def not_marathon(self, path: str, *, write: bool = False) -> OrchctlError:
        """The error of an answer that has not the shape it should have; of a write: it may have been carried out."""
        return self._marathon.is_not(path, write=write)


class Writing:
    """Requests that change something, each preceded by a look at the fence."""

    def __init__(self, reading: Reading, check: Callable[[], None]) -> None:
        self._reading = reading
        self._check = check

    def create(self, body: Json) -> Json:
        """The app that was made."""
        return self._answer("POST", "/v2/apps", None, body, is_app)

    def restart(self, path: str, query: Query | None = None) -> Json:
        return self._answer("POST", f"{path}/restart", query, None, is_update)

    def put(self, path: str, body: Any, query: Query | None = None) -> Json:
        return self._answer("PUT", path, query, body, is_update)

    def patch(self, path: str, body: Any, query: Query | None = None) -> Json:
        return self._answer("PATCH", path, query, body, is_update)

    def delete(self, path: str, query: Query | None = None) -> None:
        self._check()
        found = self._reading.send("DELETE", path, query)
        if found is not None and not isinstance(found, dict):
            raise self._reading.not_marathon(path, write=True)

    def _answer(self, method: str, path: str, query: Query | None, body: Any, is_right: Callable[[Any], bool]) -> Json:
        self._check()
        found: Json = self._reading.send(method, path, query, body)
        if not is_right(found):
            raise self._reading.not_marathon(path, write=True)
        return found


def _session() -> Any:
    session = need("requests", extra="marathon").Session()
    # Environment bundles, proxies and .netrc must not override what the context says.
    session.trust_env = False
    # Where a redirect is not to be followed, requests 2.34 still reads all of its body, and parses its Location.
    session.get_redirect_target = lambda _response: None
    return session


def is_deeper_than(value: Any, most: int) -> bool:
    """Does JSON ``value`` nest deeper? Level by level: what is that deep cannot be walked by recursion."""
    level = [value]
    for _ in range(most):
        inner = (v.values() if isinstance(v, dict) else v for v in level if isinstance(v, (dict, list)))
        level = [v for values in inner for v in values if isinstance(v, (dict, list))]
        if not level:
            return False
    return True


def _joined(address: str, location: str) -> str:
    """Where ``location`` leads from ``address``; "" when it is no address, or brings credentials of its own."""
    try:
        goal = urljoin(address, location)
        parts = urlsplit(goal)
        good = bool(location) and parts.username is None and origin_of(goal)[2] > 0
    except ValueError:
        return ""
    return goal if good else ""
