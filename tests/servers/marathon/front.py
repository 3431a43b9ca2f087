"""An HTTP server that answers instead of a Marathon, or in front of one: whatever a client may meet there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from tests.servers.marathon.messages import Request, Response
from tests.servers.marathon.proxy import proxied
from tests.servers.marathon.web import Dropped, Listener

Strike = Callable[[Request], Response | Iterator[bytes] | None]
"""None = what stands behind the front answers; an iterator is sent as it is, head included."""


class Front:
    """``seen`` is what arrived, credentials included; ``strike`` decides what becomes of a request. A context manager."""

    def __init__(self, behind: str = "", *, host: str = "127.0.0.1") -> None:
        self._behind = behind
        self.seen: list[Request] = []
        self.strike: Strike = passed_on
        self._listener = Listener(self._answer, host=host)
        self._listener.start()

    @property
    def url(self) -> str:
        return self._listener.url

    @property
    def writes(self) -> int:
        return sum(one.method != "GET" for one in self.seen)

    def _answer(self, request: Request) -> Response | Iterator[bytes]:
        self.seen.append(request)
        found = self.strike(request)
        if found is not None:
            return found
        return proxied(request, self._behind) if self._behind else Response(404, is_bare=True)

    def close(self) -> None:
        self._listener.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def passed_on(_request: Request) -> None:
    """Everything is answered by what stands behind."""


def always(answer: Response) -> Strike:
    return lambda _request: answer


def lost_before(_request: Request) -> None:
    """The connection ends, and nothing was carried out."""
    raise Dropped


def once(strike: Strike, *, method: str, path: str = "") -> Strike:
    """``strike`` at the first request with that method and that part of its path."""
    left = [True]

    def first(request: Request) -> Response | Iterator[bytes] | None:
        if request.method != method or path not in request.path or not left:
            return None
        left.clear()
        return strike(request)

    return first
