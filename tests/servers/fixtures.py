"""Servers as pytest fixtures, for every test module."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.servers import ledger
from tests.servers.absence import absent
from tests.servers.dockerd import Swarm
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.kubernetes.given import Given, given
from tests.servers.kubernetes.kwok import simulated
from tests.servers.packages import Unavailable


@pytest.fixture(scope="session", autouse=True)
def _directory_noted(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What works in a test's own directory is a test's, whatever it keeps of our environment."""
    ledger.note("place", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Swarm]:
    """A one-node swarm, started when the first test asks for it; skips with the reason where none can run."""
    yield from _running(workers=0)


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[Swarm]:
    """One manager, two workers; only for as long as one module needs them."""
    yield from _running(workers=2)


def _running(*, workers: int) -> Iterator[Swarm]:
    try:
        swarm = Swarm(workers=workers).start()
    except Unavailable as reason:  # anything else is a failure: what this machine can run may not be skipped
        absent("swarm", reason)
    yield swarm
    swarm.stop()


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[Cluster | Given]:
    """A cluster with one node; skips with the reason where none can run. ORCHCTL_TEST_KUBECONFIG names another one."""
    if elsewhere := given():
        yield elsewhere
        return
    try:
        cluster = Cluster().start()
    except Unavailable as reason:  # anything else is a failure: what this machine can run may not be skipped
        absent("kubernetes", reason)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def own_kubernetes(kubernetes: Cluster | Given) -> Cluster:
    """For tests of what only a cluster of our own offers."""
    if not isinstance(kubernetes, Cluster):
        pytest.skip("needs the tests' own cluster")
    return kubernetes


@pytest.fixture(scope="module")
def kwok_cluster() -> Iterator[Cluster]:
    """A control plane with three simulated nodes, for only as long as one module needs it: it takes part of the CPU."""
    with contextlib.ExitStack() as stack:
        try:
            cluster = stack.enter_context(simulated())
        except Unavailable as reason:
            absent("kubernetes", reason)
        yield cluster
