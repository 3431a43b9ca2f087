"""Notes each test's outcome as it comes, so that nothing is lost with a run that is killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.gate.notes import VARIABLE

_LONGEST_REASON = 300


class Notes:
    """Tests are named as pytest takes them from the working directory."""

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._before = "" if root == Path.cwd() else f"{root}{os.sep}"

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(test=nodeid, when="start", outcome="started")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        took = f"{report.duration:.2f}"
        self._write(
            test=report.nodeid, when=report.when or "", outcome=report.outcome, reason=_reason(report), seconds=took
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(test=report.nodeid, when="collect", outcome="failed", reason=_reason(report))
        elif report.skipped:
            self._write(test=report.nodeid, when="collect", outcome="skipped", reason=_reason(report))

    def _write(self, *, test: str, **note: str) -> None:
        note = {"test": self._before + test, **note}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(note) + "\n")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """One line: what was raised, or why it was skipped."""
    found: Any = report.longrepr
    if isinstance(found, tuple):
        return str(found[2]).removeprefix("Skipped: ")
    crash = getattr(found, "reprcrash", None)
    lines = str(crash.message if crash else found or "").strip().splitlines() or [""]
    return (lines[0] if crash else lines[-1])[:_LONGEST_REASON]


def pytest_configure(config: pytest.Config) -> None:
    """In the controller only; a run inside a test has no cache (``-p no:cacheprovider``) and is not noted."""
    path = os.environ.get(VARIABLE)
    if path and config.pluginmanager.hasplugin("cacheprovider") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Notes(Path(path), config.rootpath))
