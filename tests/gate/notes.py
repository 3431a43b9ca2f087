"""What a test run notes: one JSON object a line, written by ``plugin.py`` and read by ``run.py``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "ORCHCTL_TEST_NOTES"
"""Names the file; nothing is noted without it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``test`` as pytest names it; ``reason`` in one line; ``again``: it can be run by that name."""

    test: str
    reason: str
    again: bool = True


@dataclass
class Tally:
    """Tests by outcome. A test that failed and whose clean-up failed too is one failure, with its first reason."""

    passed: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """By reason."""


def read(path: Path) -> Tally:
    """A line that a kill has torn, which can be the last one only, is left out."""
    tally, failed = Tally(), dict[str, Failure]()
    passed: set[str] = set()
    for note in _lines(path):
        test, outcome = note["test"], note["outcome"]
        if outcome == "failed":
            failed.setdefault(test, Failure(test, note["reason"], note["when"] != "collect"))
        elif outcome == "skipped":
            tally.skipped[note["reason"]] += 1
        elif note["when"] == "call":
            passed.add(test)
    tally.failures = list(failed.values())
    tally.passed = len(passed - failed.keys())
    return tally


def running(path: Path) -> list[str]:
    """Tests that have started and not ended, the oldest first."""
    found: dict[str, None] = {}
    for note in _lines(path):
        if note["outcome"] == "started":
            found[note["test"]] = None
        elif note["when"] == "teardown":
            found.pop(note["test"], None)
    return list(found)


def _lines(path: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
