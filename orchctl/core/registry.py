"""Backend names and the classes behind them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchctl.core.backend import Backend
from orchctl.errors import BackendUnavailable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILT_IN = {
    "kubernetes": "orchctl_kubernetes.adapter:KubernetesBackend",
    "local": "orchctl_local.adapter:LocalBackend",
    "marathon": "orchctl_marathon.adapter:MarathonBackend",
    "swarm": "orchctl_swarm.adapter:SwarmBackend",
}
ENTRY_POINTS = "orchctl.backends"


def load(name: str) -> Backend:
    """The backend of that name; BackendUnavailable when there is none.

    Entry points are looked at only for names that are not built in: importing importlib.metadata
    alone costs as much as the rest of a short command.
    """
    if target := BUILT_IN.get(name):
        module, _, cls = target.partition(":")
        found: Backend = getattr(importlib.import_module(module), cls)()
        return found
    return _from_entry_points(name)


def known_names() -> tuple[str, ...]:
    """Every backend that can be loaded, strangers included."""
    return tuple(sorted({*BUILT_IN, *(e.name for e in _entry_points())}))


def _from_entry_points(name: str) -> Backend:
    for entry in _entry_points():
        if entry.name == name:
            loaded = entry.load()()
            if not isinstance(loaded, Backend):
                raise BackendUnavailable(f"entry point {entry.value!r} is not an orchctl backend")
            return loaded
    raise BackendUnavailable(f"no backend is called {name!r}", hint=f"available: {', '.join(known_names())}")


def _entry_points() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINTS)
