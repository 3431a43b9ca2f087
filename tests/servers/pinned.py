"""The versions of the lock file as constraints, for what tests install beside the environment that they run in."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements" / "dev.txt"


def pins(folder: Path, without: Collection[str] = ()) -> Path:
    """A constraints file in ``folder``: ``NAME==VERSION ; MARKER`` a line, without hashes, since pip takes those only
    where every name has one."""
    lines = re.findall(r"^([\w.-]+)(==[^\\\n]+)", LOCK.read_text("utf-8"), re.MULTILINE)
    path = folder / "pins.txt"
    path.write_text("".join(f"{name}{pin.strip()}\n" for name, pin in lines if name not in without), "utf-8")
    return path
