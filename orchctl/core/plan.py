"""What a deploy would change, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchctl.core.service import Service


class Op(StrEnum):
    ADD = "add"
    UPDATE = "update"
    REMOVE = "remove"


class Policy(StrEnum):
    """What happens to a spec field that the backend cannot take as it is."""

    REJECT = "reject"
    """Refused before anything is sent."""
    EMULATE = "emulate"
    """Sent differently with the same meaning; listed in the plan."""
    WARN = "warn"
    """Approximated or not enforced; listed in the plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field, in the spec's words. ``restarts``: instances are replaced because of it. ``lines``: of a file's content, as
    in a unified diff; () = not known, or no text. They come from the records, and two changes are the same without them."""

    path: str
    op: Op
    before: Any = None
    after: Any = None
    restarts: bool = False
    lines: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    path: str
    policy: Policy
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeObject:
    """One object as the backend's API takes it. ``body`` is plain JSON."""

    kind: str
    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything ``apply`` needs; JSON-able, so that it can be saved and refused when stale.

    ``service`` is complete: replicas a number, image pinned, secret versions filled. ``written_replicas``
    is what the spec says about the count; None = the live count stays.
    ``expect`` is the live object's version as the backend states it, opaque; "" = must not exist.
    ``base_revision`` is the newest revision seen while planning, 0 = none.
    """

    service: Service
    backend: str
    context: str
    template_hash: str
    spec_hash: str
    written_replicas: int | None = None
    expect: str = ""
    base_revision: int = 0
    changes: tuple[Change, ...] = ()
    issues: tuple[Issue, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing to send."""
        return not self.changes

    @property
    def restarts(self) -> bool:
        """At least one change replaces instances."""
        return any(c.restarts for c in self.changes)
