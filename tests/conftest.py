"""Worlds: which tests need which servers, and a note of which ran."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

WORLDS = {
    "world_local": "local",
    "world_consul": "consul",
    "world_marathon": "marathon",
    "world_swarm": "swarm",
    "world_kubernetes": "kubernetes",
}

pytest_plugins = ["tests.profiles", "tests.servers.fixtures", "tests.servers.consul.fixtures", "tests.worlds.fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "world_local: starts real processes under a real supervisor")
    config.addinivalue_line("markers", "world_consul: needs a real Consul")
    config.addinivalue_line(
        "markers", "world_marathon: runs real processes on a simulated Mesos, or on a Marathon given"
    )
    config.addinivalue_line("markers", "world_swarm: needs a real dockerd")
    config.addinivalue_line("markers", "world_kubernetes: needs a real Kubernetes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A Marathon that is given (tests/worlds/marathon.py) is one for all workers: its tests go one after the other."""
    if os.environ.get("ORCHCTL_TEST_MARATHON_URL"):
        for item in (i for i in items if i.get_closest_marker("world_marathon")):
            item.add_marker(pytest.mark.xdist_group("marathon"))


class _Tally:
    """Counts outcomes by world; written where tests/worlds_report.py finds them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._world_of: dict[str, str] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._reasons: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        world = next((name for mark, name in WORLDS.items() if mark in report.keywords), "fast")
        counts = self._counts.setdefault(world, Counter())
        reasons = self._reasons.setdefault(world, Counter())
        if report.skipped:
            counts["skipped"] += 1
            reasons[str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)] += 1
        elif report.failed:
            counts["failed"] += 1
        elif report.when == "call":
            counts["passed"] += 1

    def pytest_sessionfinish(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for world, counts in self._counts.items():
            note = {"world": world, "reasons": self._reasons[world]} | {
                k: counts[k] for k in ("passed", "failed", "skipped")
            }
            (self._directory / f"{world}.json").write_text(json.dumps(note), "utf-8")


def pytest_sessionstart(session: pytest.Session) -> None:
    """A run inside a test has no cache (``-p no:cacheprovider``), and is not counted."""
    if session.config.pluginmanager.hasplugin("cacheprovider") and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(_Tally(session.config.rootpath / ".pytest_cache" / "worlds"))
