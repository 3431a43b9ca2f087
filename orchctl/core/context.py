"""A named place to deploy to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """``settings`` are the backend's own keys from the configuration; ``base_dir`` is where their
    relative paths start; ``state_dir`` is orchctl's directory on this machine (journal, evidence, and
    all of the local backend). ``namespace`` is the default one.
    """

    name: str
    backend: str
    state_dir: Path
    namespace: str = "default"
    protected: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    base_dir: Path = Path(".")
