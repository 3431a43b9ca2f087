"""Servers as pytest fixtures, for every test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.dockerd import Swarm
from tests.servers.packages import Unavailable


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
        pytest.skip(f"no swarm here: {reason}")
    yield swarm
    swarm.stop()
