"""A Marathon for the tests of one module, and a world on it that is clean after each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.marathon import Marathon
from tests.servers.marathon.front import Front
from tests.worlds.marathon import HASTE, MarathonWorld, images


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Marathon]:
    """``CHECK_HASTE`` of a module: how many times more often than asked for it checks.

    1 where instances fail their checks on purpose: a way back goes by a look at what there is, and one that is replaced
    between that look and the write costs one that serves (3 of 84 with checks five times as often, 0 of 80 without).
    """
    haste = getattr(request.module, "CHECK_HASTE", HASTE)
    with Marathon(images=images(), check_haste=haste, features=("task_killing",)) as server:
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
