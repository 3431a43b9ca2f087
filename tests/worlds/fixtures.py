"""Worlds as pytest fixtures, for every test module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.dockerd import Swarm
from tests.worlds.local import LocalWorld
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
