"""The event stream: who listens, and what is written to them."""

from __future__ import annotations

import json
import queue
from collections.abc import Collection
from typing import Any

from tests.servers.marathon.clock import Clock, text

IDLE_SECONDS = 10.0
"""A stream that had nothing to say gets an empty line after this time."""


class Subscription:
    """One stream. ``next`` gives bytes to write, b"" when it has been closed."""

    def __init__(self, address: str, wanted: Collection[str]) -> None:
        self.address = address
        self._wanted = frozenset(wanted)
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def offer(self, kind: str, payload: str) -> None:
        if not self._wanted or kind in self._wanted:
            self._lines.put(f"event: {kind}\r\ndata: {payload}\r\n\r\n".encode())

    def next(self) -> bytes:
        try:
            return self._lines.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return b"\r\n"

    def close(self) -> None:
        self._lines.put(b"")


class Events:
    """Publishes to every subscription, and keeps the last ones for tests."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._subscriptions: list[Subscription] = []
        self.published: list[dict[str, Any]] = []

    def subscribe(self, subscription: Subscription) -> None:
        """The newcomer sees its own ``event_stream_attached`` first."""
        self._subscriptions.append(subscription)
        self.publish("event_stream_attached", remoteAddress=subscription.address)

    def unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self.publish("event_stream_detached", remoteAddress=subscription.address)

    def close(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()
        self._subscriptions.clear()

    def publish(self, kind: str, /, **content: Any) -> None:
        """``eventType`` and ``timestamp`` stand at the end, unless ``content`` has empty ones elsewhere."""
        event = content | {"eventType": kind}
        event["timestamp"] = event.get("timestamp") or text(self._clock.now())
        self.published.append(event)
        payload = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        for subscription in list(self._subscriptions):
            subscription.offer(kind, payload)
