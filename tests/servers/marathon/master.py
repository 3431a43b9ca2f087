"""One Marathon process: its own address, credentials, leadership; the state belongs to all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate

from tests.servers.marathon import information, routes
from tests.servers.marathon.access import Access, page, unauthorized
from tests.servers.marathon.engine import Engine
from tests.servers.marathon.errors import Refused
from tests.servers.marathon.events import Subscription
from tests.servers.marathon.messages import Request, Response, answer, refusal
from tests.servers.marathon.proxy import proxied
from tests.servers.marathon.web import Dropped, Listener

NODE_BYTES = 1_024_000
"""--zk_max_node_size: a bigger app kills the leader (seen on a real server with 1.1 MB; 0.9 MB passed)."""

_NO_CACHE = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache", "Expires": "0"}


@dataclass(frozen=True)
class Seen:
    """One request that was answered. ``path`` without the query, both as they were sent."""

    method: str
    path: str
    query: str
    status: int
    master: str


class Leadership:
    """Who leads: at most one of the masters."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.masters: list[Master] = []
        self._leader: Master | None = None

    @property
    def leader(self) -> Master | None:
        return self._leader

    def elect(self, master: Master | None) -> None:
        """``master`` leads from now on; connections to the one before are dropped, event streams end."""
        with self.engine.lock:
            before, self._leader = self._leader, master
            self.engine.has_leader = master is not None
            if before is not None and before is not master:
                self.engine.events.close()
        if before is not None and before is not master:
            before.listener.drop_connections()
        self.engine.wake()

    def abdicate(self) -> None:
        """The next master that runs is elected, if there is another one."""
        others = [one for one in self.masters if one is not self._leader and one.is_up]
        self.elect(others[0] if others else None)


class Master:
    """Answers as leader, or passes on to the leader."""

    def __init__(self, engine: Engine, leadership: Leadership, access: Access, seen: list[Seen]) -> None:
        self.engine, self.leadership, self.access, self._seen = engine, leadership, access, seen
        self.listener = Listener(self._answer, certificate=access.certificate)
        self.is_up = False
        leadership.masters.append(self)

    @property
    def url(self) -> str:
        return self.listener.url + self.access.base_path

    @property
    def address(self) -> str:
        return self.listener.address

    def start(self) -> None:
        self.listener.start()
        self.is_up = True

    def stop(self) -> None:
        self.listener.stop()
        self.is_up = False

    def _answer(self, request: Request) -> Response | Iterator[bytes]:
        try:
            found = self._judge(request)
        except Refused as refused:
            found = refusal(refused)
        status = found.status if isinstance(found, Response) else 200
        path, _, query = request.target.partition("?")
        self._seen.append(Seen(request.method, path, query, status, self.address))
        return self._with_headers(request, found) if isinstance(found, Response) else found

    def _judge(self, request: Request) -> Response | Iterator[bytes]:
        if refused := unauthorized(self.access, request):
            return refused
        base = self.access.base_path
        if base and not request.path.startswith(base + "/"):
            return Response(404, is_bare=True)
        inner = Request(
            request.method,
            request.path.removeprefix(base),
            request.query,
            request.headers,
            request.body,
            request.client,
            self.listener.url,
            request.target,
        )
        leader = self.leadership.leader
        if leader is self:
            return self._lead(inner)
        return self._follow(inner, leader)

    def _follow(self, request: Request, leader: Master | None) -> Response | Iterator[bytes]:
        """What LeaderProxyFilter does: pass on, but send event listeners to the leader (302 since 1.7)."""
        if request.path in ("/ping", "/metrics"):
            return routes.respond(self.engine, request)
        if leader is None or not leader.is_up:
            return page(503, "Could not determine the current leader")
        if request.path == "/v2/events" and self.engine.options.numbers >= (1, 7):
            return Response(302, headers={"Location": leader.listener.url + request.target})
        return proxied(request, leader.listener.url)

    def _lead(self, request: Request) -> Response | Iterator[bytes]:
        if request.path == "/v2/events":
            return self._events(request)
        if len(request.body) > NODE_BYTES and request.method in ("POST", "PUT", "PATCH"):
            threading.Thread(target=self.crash, daemon=True).start()
            raise Dropped
        if request.path.startswith(("/v2/leader", "/v2/info")):
            return self._about(request)
        with self.engine.lock:
            return routes.respond(self.engine, request)

    def crash(self) -> None:
        """The process is gone, with its connections; another master takes over."""
        self.stop()
        if self.leadership.leader is self:
            self.leadership.abdicate()

    def _about(self, request: Request) -> Response:
        leader = self.leadership.leader
        if request.path == "/v2/info":
            return answer(information.info(self.engine, self.address, leader.address if leader else None))
        if request.method == "DELETE":
            # The real one answers, then its process exits.
            threading.Timer(0.1, self.crash).start()
            return answer({"message": "Leadership abdicated"})
        if leader is None:
            raise Refused(404, {"message": "There is no leader"})
        return answer({"leader": leader.address})

    def _events(self, request: Request) -> Response | Iterator[bytes]:
        if not request.accepts("text/event-stream") and "*/*" not in request.headers.get("accept", "*/*"):
            reason = "HTTP method GET is not supported by this URL"
            return Response(405, reason=reason, headers={"Cache-Control": "must-revalidate,no-cache,no-store"})
        return self._stream(Subscription(request.client, request.values("event_type")))

    def _stream(self, subscription: Subscription) -> Iterator[bytes]:
        with self.engine.lock:
            self.engine.events.subscribe(subscription)
        try:
            yield self._stream_head()
            while part := subscription.next():
                yield part
        finally:
            with self.engine.lock:
                self.engine.events.unsubscribe(subscription)

    def _stream_head(self) -> bytes:
        names = self._common() | _NO_CACHE | {"Content-Type": "text/event-stream;charset=utf-8", "Connection": "close"}
        lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in names.items()), "", ""]
        return "\r\n".join(lines).encode()

    def _common(self) -> dict[str, str]:
        leader = self.leadership.leader
        shown = {"Date": formatdate(self.engine.clock.now(), usegmt=True)}
        if leader is not None:
            shown["X-Marathon-Leader"] = leader.listener.url
        return shown | {"X-Frame-Options": "DENY", "X-XSS-Protection": "1; mode=block"}

    def _with_headers(self, request: Request, response: Response) -> Response:
        if response.is_bare:
            return response
        response.headers = self._common() | _NO_CACHE | response.headers
        if request.method == "GET" and response.status == 200:
            response.headers["Vary"] = "Accept-Encoding, User-Agent"
        return response
