"""What a command line says about specs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecRequest:
    """``files``: paths, directories, or ``-`` for ``stdin``; none = ``orch.yaml`` of ``cwd``, or else its
    ``*.orch.yaml``. ``environ`` and ``env_files`` give variables. ``known_backends`` empty = the built-in ones.
    """

    files: tuple[str, ...] = ()
    env_name: str = ""
    sets: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    default_namespace: str = "default"
    known_backends: tuple[str, ...] = ()
    cwd: Path = Path()
    stdin: BinaryIO | None = None
