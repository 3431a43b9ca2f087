"""Consul as pytest fixtures, for every test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.absence import absent
from tests.servers.consul.agent import Consul
from tests.servers.packages import Unavailable


@pytest.fixture(scope="session")
def consul() -> Iterator[Consul]:
    """A server that is open to everybody, started when the first test asks for it; skips with the reason where none can
    run."""
    yield from _running()


@pytest.fixture(scope="session")
def secured_consul() -> Iterator[Consul]:
    """The same with ACLs, everything denied by default, and TLS."""
    yield from _running(acl=True, tls=True)


@pytest.fixture
def own_consul() -> Iterator[Consul]:
    """One of the test's own, to be killed and frozen."""
    yield from _running()


def _running(*, acl: bool = False, tls: bool = False) -> Iterator[Consul]:
    try:
        server = Consul(acl=acl, tls=tls)
    except Unavailable as reason:  # anything else is a failure: what this machine can run may not be skipped
        absent("consul", reason)
    with server:
        yield server
