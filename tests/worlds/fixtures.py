"""Worlds as pytest fixtures, for every test module."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.consul.agent import Consul
from tests.servers.dockerd import Swarm
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.kubernetes.given import Given
from tests.servers.marathon import Marathon
from tests.worlds.catalog import ListedFakeWorld
from tests.worlds.kubernetes import KubernetesWorld
from tests.worlds.local import LocalWorld
from tests.worlds.marathon import GIVEN, HASTE, MarathonWorld, images
from tests.worlds.swarm import SwarmWorld


@pytest.fixture
def local_world(tmp_path: Path) -> Iterator[LocalWorld]:
    """A world of its own; nothing of it is left afterwards."""
    if sys.platform != "linux":
        pytest.skip("the truth about processes is read from /proc")
    world = LocalWorld(tmp_path)
    yield world
    world.clean()


@pytest.fixture
def swarm_world(dockerd: Swarm, tmp_path: Path) -> Iterator[SwarmWorld]:
    """A clean world on the session's one engine."""
    world = SwarmWorld(dockerd, tmp_path)
    world.clean()
    yield world
    world.clean()
    world.close()


@pytest.fixture
def kubernetes_world(kubernetes: Cluster | Given, tmp_path: Path) -> Iterator[KubernetesWorld]:
    """A clean world on the session's one cluster."""
    world = KubernetesWorld(kubernetes, tmp_path)
    world.clean()
    yield world
    world.clean()


@pytest.fixture(scope="session")
def marathon() -> Iterator[Marathon | None]:
    """The session's one server; None when ORCHCTL_TEST_MARATHON_URL names another one."""
    if os.environ.get(GIVEN):
        yield None
        return
    with Marathon(images=images(), check_haste=HASTE, features=("task_killing",)) as server:
        yield server


@pytest.fixture(scope="session")
def marathon_address(marathon: Marathon | None) -> tuple[str, str]:
    """Of the server and of its Mesos ("" = not known)."""
    if marathon:
        return marathon.url, marathon.mesos_url
    return os.environ[GIVEN].rstrip("/"), os.environ.get("ORCHCTL_TEST_MESOS_URL", "")


@pytest.fixture
def marathon_world(
    marathon: Marathon | None, marathon_address: tuple[str, str], tmp_path: Path
) -> Iterator[MarathonWorld]:
    """A clean world on the session's one server."""
    world = MarathonWorld(marathon, *marathon_address, tmp_path)
    world.clean()
    with world.counting():
        yield world
    world.clean()


@pytest.fixture
def listed_world(consul: Consul, tmp_path: Path) -> Iterator[ListedFakeWorld]:
    """The cluster in memory, listed in the session's Consul; nothing of it is left there."""
    world = ListedFakeWorld(consul, tmp_path)
    yield world
    world.close()
    for node in world.entries.nodes(world.context.cluster):
        world.entries.api.put("/v1/catalog/deregister", {"Node": node})
