"""Files as CI services name them: relative to the repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orchctl.cli.configuration import working_directory
from orchctl.errors import ConfigError

_ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def in_repository(file: str, environ: Mapping[str, str]) -> str:
    """With slashes, from the root of the checkout; "" for what is no file there (standard input, other places)."""
    try:
        cwd = working_directory()
    except ConfigError:
        return ""
    root = _root(cwd, environ)
    path = Path(os.path.abspath(cwd / file))
    if not file or not os.path.exists(path) or not path.is_relative_to(root):
        return ""
    return path.relative_to(root).as_posix()


def _root(cwd: Path, environ: Mapping[str, str]) -> Path:
    named = [Path(environ[name]) for name in _ROOTS if environ.get(name)]
    for root in named:
        if cwd.is_relative_to(root):
            return root
    return next((d for d in (cwd, *cwd.parents) if (d / ".git").exists()), cwd)
