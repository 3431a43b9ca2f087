"""A Marathon for the tests of one module, and a world on it that is clean after each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.marathon import Marathon
from tests.servers.marathon.front import Front
from tests.worlds.marathon import HASTE, MarathonWorld, images


@pytest.fixture(scope="module")
def server() -> Iterator[Marathon]:
    with Marathon(images=images(), check_haste=HASTE, features=("task_killing",)) as server:
        yield server


@pytest.fixture
def world(server: Marathon, tmp_path: Path) -> Iterator[MarathonWorld]:
    world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
    yield world
    world.clean()


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as front:
        yield front
