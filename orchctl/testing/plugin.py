"""pytest plug-in: the fixtures of the conformance kit. A test module brings the ``world`` fixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchctl.core import stores
from orchctl.core.store import Store
from orchctl.testing.driver import Driver
from orchctl.testing.world import World

pytest.register_assert_rewrite("orchctl.testing.contract")


@pytest.fixture
def driver(world: World) -> Iterator[Driver]:
    """A deployer on a clean world, which is clean again afterwards."""
    world.clean()
    yield Driver(world)
    world.clean()


@pytest.fixture
def store(world: World) -> Iterator[Store]:
    """The world's store, empty."""
    world.clean()
    with stores.connect(world.backend, world.context) as connection:
        yield connection.store
    world.clean()
