"""Recorded files next to the tests; ORCHCTL_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "golden" / "swarm"


def read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def compare(name: str, found: Any) -> None:
    """``found`` must be what was recorded under ``name``."""
    if os.environ.get("ORCHCTL_UPDATE_GOLDEN"):
        (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    assert found == read(name)
