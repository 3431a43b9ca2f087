"""A Consul in memory behind a Front, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchctl.catalog.consul import Consul
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Front
from tests.unit.catalog.support import connected


@pytest.fixture
def server() -> FakeConsul:
    return FakeConsul()


@pytest.fixture
def front(server: FakeConsul) -> Iterator[Front]:
    with Front(server.respond) as front:
        yield front


@pytest.fixture
def client(front: Front) -> Iterator[Consul]:
    client = connected(front.url)
    yield client
    client.close()
