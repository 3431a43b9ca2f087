"""What a real Marathon 1.8.248 answered; see tests/data/marathon/README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "data" / "marathon"


def answer(name: str) -> Any:
    """The body of ``08-deployments/506`` (the number is enough)."""
    folder, number = name.split("/")
    (found,) = (FOLDER / folder).glob(f"{number}-*.json")
    return json.loads(found.read_text("utf-8"))["response"]["body"]


def app(name: str) -> dict[str, Any]:
    found: dict[str, Any] = answer(name)["app"]
    return found


def queued(name: str) -> dict[str, Any]:
    """The only item of a launch queue."""
    (item,) = answer(name)["queue"]
    found: dict[str, Any] = item
    return found
