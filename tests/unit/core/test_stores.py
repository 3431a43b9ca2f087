"""A connection with a store or a mesh of its own is in everything else the backend's."""

from __future__ import annotations

import inspect

from orchctl.core.backend import Connection
from orchctl.core.stores import _Together


def test_every_method_of_a_connection_is_passed_on() -> None:
    """One that is not would silently do what the base class does."""
    own = {name for name, _ in inspect.getmembers(Connection, inspect.isroutine) if not name.startswith("_")}
    assert own <= set(vars(_Together))
