"""The world of the tests that start real processes."""

from __future__ import annotations

import pytest

from tests.worlds.local import LocalWorld


@pytest.fixture
def world(local_world: LocalWorld) -> LocalWorld:
    return local_world
