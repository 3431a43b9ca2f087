"""A client that resolves through ``discover`` and never stops asking."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from orchctl.core.endpoint import Endpoint
from orchctl.errors import OrchctlError

_PAUSE_S = 0.01


class Client:
    """Asks one endpoint after the other, about a hundred times a second, and looks them up again every ``refresh_s``.

    ``fetch`` makes one request and raises OSError when it fails. An endpoint is promised to answer for ``drain_s`` after a
    look that showed it, counted from the beginning of that look; what was refused later than that was asked by a client that
    was kept from looking again, says nothing about the backend and is only counted (``late``). What got no answer at all counts
    by when it was asked.

    A context manager; read the counters after it.
    """

    def __init__(
        self,
        look: Callable[[], Sequence[Endpoint]],
        fetch: Callable[[Endpoint], object],
        *,
        refresh_s: float,
        drain_s: float = math.inf,
    ) -> None:
        self.asked = self.late = 0
        self.failed: list[str] = []
        self._look, self._fetch, self._refresh_s, self._drain_s = look, fetch, refresh_s, drain_s
        self._found = time.monotonic(), [e for e in look() if e.ready and e.instance]
        self._end = threading.Event()
        self._threads = [threading.Thread(target=body, daemon=True) for body in (self._refresh, self._ask)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _refresh(self) -> None:
        while not self._end.wait(self._refresh_s):
            began = time.monotonic()
            try:
                found = [e for e in self._look() if e.ready and e.instance]
            except OrchctlError as error:
                self.failed.append(f"discover: {error}")
                continue
            if found:
                self._found = began, found
            else:
                self.failed.append("discover: no ready endpoint")

    def _ask(self) -> None:
        while not self._end.wait(_PAUSE_S):
            began, endpoints = self._found
            endpoint = endpoints[self.asked % len(endpoints)]
            self.asked += 1
            asked = time.monotonic()
            try:
                self._fetch(endpoint)
            except OSError as error:
                is_silent = isinstance(error, TimeoutError) and asked - began < self._drain_s / 2
                age = time.monotonic() - began
                if age < self._drain_s or is_silent:
                    self.failed.append(f"{endpoint.instance}, seen {age:.2f} s before: {error}")
                else:
                    self.late += 1
