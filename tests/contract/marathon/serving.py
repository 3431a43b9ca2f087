"""How many instances serve while something is done to them, and services of the sizes that matter for it."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import TracebackType
from typing import Self

from orchctl.core.service import Amount, Service
from tests.servers.marathon import Marathon

WEB = "/test/web"


class Serving:
    """How few instances served at any time of the block, as the server itself knows: every 10 ms."""

    def __init__(self, server: Marathon) -> None:
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.counts: list[int] = []

    def _sample(self) -> None:
        while not self._over.wait(0.01):
            with self._server.engine.lock:
                found = self._server.engine.of_app(WEB)
                serving = sum(one.is_healthy() and one.task is not None and not one.task.kill_at for one in found)
            self.counts.append(serving)

    @property
    def least(self) -> int:
        assert len(self.counts) > 20, "too few samples to say anything"
        return min(self.counts)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()


def sized(service: Service, replicas: int, surge: int, unavailable: int) -> Service:
    rollout = replace(service.rollout, max_surge=Amount(surge), max_unavailable=Amount(unavailable))
    return replace(service, replicas=replicas, rollout=rollout)
