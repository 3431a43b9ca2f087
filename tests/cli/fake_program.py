"""``python -m tests.cli.fake_program VERB ...``: the whole program in a process of its own, over a fake cluster in real time.

FAKE_RUNNING names services that run already, FAKE_STUCK makes every look at a rollout hang, FAKE_ENDPOINT
is what the backend says about its address.
"""

from __future__ import annotations

import os
import threading
import time

from orchctl import boot
from orchctl.cli import interruption
from orchctl.core import registry
from orchctl.core.backend import Backend, Connection, Reader
from orchctl.core.context import Context
from orchctl.core.rollout import Handle, Progress
from orchctl.core.service import Rollout, Service
from orchctl.testing.fake import FakeBackend, FakeConnection, FakeReader
from orchctl.testing.fake_cluster import FakeCluster


class _StuckReader(FakeReader):
    def poll(self, handle: Handle) -> Progress:
        threading.Event().wait()
        raise AssertionError("nobody sets that event")


class _Connection(FakeConnection):
    endpoint = os.environ.get("FAKE_ENDPOINT", "fake://memory")

    def __init__(self, cluster: FakeCluster) -> None:
        super().__init__(cluster)
        self._stuck = _StuckReader(cluster) if os.environ.get("FAKE_STUCK") else None

    @property
    def reader(self) -> Reader:
        return self._stuck or super().reader


class _Backend(FakeBackend):
    def connect(self, context: Context) -> Connection:
        return _Connection(self.cluster)


def main() -> None:
    cluster = FakeCluster(now=time.monotonic)
    for name in os.environ.get("FAKE_RUNNING", "").split():
        service = Service(name=name, namespace="default", image="x/y:1", replicas=1, rollout=Rollout(min_ready_ms=0))
        cluster.define(("default", name), service, revision=1)
    load = registry.load

    def load_fake(name: str) -> Backend:
        return _Backend(cluster) if name == "fake" else load(name)

    registry.load = load_fake
    interruption.PATIENCE_S = float(os.environ.get("FAKE_PATIENCE_S", interruption.PATIENCE_S))
    boot.main()


if __name__ == "__main__":
    main()
