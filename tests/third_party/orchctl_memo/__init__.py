"""A backend that lives outside orchctl's tree and is found through its entry point."""

from typing import ClassVar

from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import FakeCluster
from orchctl.testing.virtual_time import VirtualClock

CLOCK = VirtualClock()
CLUSTER = FakeCluster(now=CLOCK.now, backend="memo")


class MemoBackend(FakeBackend):
    name: ClassVar[str] = "memo"

    def __init__(self) -> None:
        super().__init__(CLUSTER)
