"""Recorded files next to the tests; ORCHCTL_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "golden" / "kubernetes"


def compare(name: str, found: Any) -> None:
    """``found`` must be what was recorded under ``name``."""
    path = FOLDER / f"{name}.json"
    if os.environ.get("ORCHCTL_UPDATE_GOLDEN"):
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    assert found == json.loads(path.read_text("utf-8"))
