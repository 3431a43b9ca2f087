"""Small documents next to the workload: release records and leases.

One algorithm (engine/lease.py, engine/history.py) over one narrow interface, so that every backend,
and Consul later, proves itself with the same suite (orchctl.testing.contract.store).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``body`` never changes after creation, ``meta`` does; ``version`` moves with every change of ``meta``."""

    key: str
    body: bytes = b""
    meta: Mapping[str, str] = field(default_factory=dict)
    version: str = ""


class Store(ABC):
    """Keys are ``namespace/service/rest``: lower case letters, digits, ``-``, ``.`` and ``/``.

    Every method does I/O and raises the errors of orchctl.errors (Unreachable, AuthRefused, and
    OutcomeUnknown when a write was sent and not answered). Meta values are single lines of at
    most 4 KiB. Stores without compare-and-set say so by ``fenced = False``.
    """

    fenced: bool = True
    max_body_bytes: int = 200_000

    @abstractmethod
    def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        """Create if absent; AlreadyExists otherwise."""

    @abstractmethod
    def get(self, key: str) -> Entry | None:
        """The entry, or None."""

    @abstractmethod
    def list(self, prefix: str) -> Sequence[Entry]:
        """All entries whose key starts with ``prefix``, ordered by key, bodies included, in O(1) requests."""

    @abstractmethod
    def update(self, key: str, meta: Mapping[str, str], *, expect: str) -> Entry:
        """Replace ``meta`` if the version is still ``expect``; StalePlan when it moved, NotFound when gone."""

    @abstractmethod
    def delete(self, key: str, *, expect: str) -> None:
        """Remove if the version is still ``expect`` (StalePlan otherwise); absent is fine."""
