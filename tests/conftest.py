"""Surroundings, and worlds: which tests need which servers."""

# ruff: noqa: E402
from __future__ import annotations

from tests import surroundings

surroundings.clean()  # before anything reads the environment

import os

import pytest

from tests.servers import ledger

pytest_plugins = ["tests.profiles", "tests.servers.fixtures", "tests.servers.consul.fixtures", "tests.worlds.fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "world_local: starts real processes under a real supervisor")
    config.addinivalue_line("markers", "world_consul: needs a real Consul")
    config.addinivalue_line(
        "markers", "world_marathon: runs real processes on a simulated Mesos, or on a Marathon given"
    )
    config.addinivalue_line("markers", "world_swarm: needs a real dockerd")
    config.addinivalue_line("markers", "world_kubernetes: needs a real Kubernetes")


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        ledger.begin()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A Marathon that is given (tests/worlds/marathon.py) is one for all workers: its tests go one after the other."""
    _check_markers(items)
    if os.environ.get("ORCHCTL_TEST_MARATHON_URL"):
        for item in (i for i in items if i.get_closest_marker("world_marathon")):
            item.add_marker(pytest.mark.xdist_group("marathon"))


def _check_markers(items: list[pytest.Item]) -> None:
    """The gate collects only files in which the name of a world's marker stands (tests/gate/steps.py)."""
    marks = {(item.path, mark.name) for item in items for mark in item.iter_markers() if mark.name.startswith("world_")}
    for path, name in sorted(marks):
        if name not in path.read_text("utf-8"):
            raise pytest.UsageError(f"{path}: has tests of {name}, and does not say so")
