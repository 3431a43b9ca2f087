"""How long it takes from the clone to a service of one's own, at a terminal, with everything installed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench.measure import Row
from tests.docs.stranger import ROOT, demo, walk


def rows() -> list[Row]:
    """One walk; the time of a person who types without thinking. Nothing stands beside it."""
    if not (ROOT / ".git").exists():
        return []
    with tempfile.TemporaryDirectory(prefix="orchctl-stranger-") as directory:
        first = demo(_made(directory, "demo"))
        own = walk(_made(directory, "own"))[1:]
    return [
        Row("stranger, clone and demo", _seconds(sum(step.seconds for step in first)), "", ""),
        Row("stranger, own service: init to deleted", _seconds(sum(step.seconds for step in own)), "", ""),
        Row("stranger, all of it", _seconds(sum(step.seconds for step in (*first, *own))), "", "", goal="<= 300 s"),
    ]


def _made(directory: str, name: str) -> Path:
    path = Path(directory) / name
    path.mkdir()
    return path


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s"
