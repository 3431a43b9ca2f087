"""The steps of the local adapter at which a run of ``signal_program`` can be stopped, each with a name.

Reads, and a restart, are stopped before they begin. Files are stopped where a kill could do harm: the new content is
there under another name, the rename is not made, and the context's lock is held.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchctl_local.reader import LocalReader
from orchctl_local.store import FileStore
from orchctl_local.writer import LocalWriter

Gate = Callable[[str], object]


def install(gate: Gate) -> None:
    """From now on ``gate`` is called with ``live``, ``poll``, ``restart``, ``get KEY`` and ``write DIRECTORY/FILE``."""
    for owner, name in ((LocalReader, "live"), (LocalReader, "poll"), (LocalWriter, "restart")):
        setattr(owner, name, _before(getattr(owner, name), lambda *_, name=name: gate(name)))
    FileStore.get = _before(FileStore.get, lambda _store, key: gate(f"get {key}"))  # type: ignore[method-assign]
    os.replace = _before(os.replace, lambda _source, target: gate(f"write {_two_parts(target)}"))


def _before(function: Callable[..., Any], call: Callable[..., object]) -> Callable[..., Any]:
    @functools.wraps(function)
    def both(*arguments: Any, **options: Any) -> Any:
        call(*arguments)
        return function(*arguments, **options)

    return both


def _two_parts(target: str | Path) -> str:
    return "/".join(Path(target).parts[-2:])
