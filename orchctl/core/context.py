"""A named place to deploy to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchctl.core.service import Address


class Allow(StrEnum):
    """What a command goes ahead with only when its user said so."""

    CREATE_NAMESPACE = "create_namespace"
    """Make the namespace where it is an object of its own and does not exist."""
    FORCE_CONFLICTS = "force_conflicts"
    """Take fields over that another manager of the same object has set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A ``[catalogs.NAME]`` table. ``kind`` is the software behind it (``consul``); ``settings`` are its keys, never
    secrets themselves; their relative paths start at ``base_dir``."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    base_dir: Path = Path(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """``settings`` are the backend's own keys from the configuration; ``base_dir`` is where their
    relative paths start; ``state_dir`` is orchctl's directory on this machine (journal, evidence, and
    all of the local backend). ``namespace`` is the default one. ``allow`` comes from this command's flags.

    ``store`` names what keeps records and leases, "" = the backend itself (``core.stores``). ``cluster`` is what the
    cluster behind this context is called there; everybody who deploys to it must say the same. ``register``: services that
    do not say stand in the catalog; ``register_address``: with whose addresses, where the spec does not say.
    """

    name: str
    backend: str
    state_dir: Path
    namespace: str = "default"
    protected: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    base_dir: Path = Path(".")
    allow: frozenset[Allow] = frozenset()
    catalog: Catalog | None = None
    store: str = ""
    cluster: str = ""
    register: bool = False
    register_address: Address = Address.SERVICE
