"""The numbered record of a deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchctl.core.service import Service

NOTED_SOURCE = "source_seq"
"""Key of the metadata: the number of a newer build that had nothing to change."""


class RevisionStatus(StrEnum):
    PENDING = "pending"
    DEPLOYED = "deployed"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    """Failed, and an automatic rollback put a good revision back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """1, 2, 3 ... without gaps per service. ``service`` is the resolved spec, secrets as references.

    ``created_at`` is ISO 8601 UTC. ``rollback_of``: the revision whose spec this one repeats, 0 = none.
    ``parent``: the revision that was deployed before, 0 = none. ``replicas`` is the count sent.
    ``rendered`` holds the native objects for audit, as JSON text; dropped first when the record is too large.
    ``source_seq`` orders the builds (a CI run's number, a commit's time), None = nobody gave one.
    """

    number: int
    service: Service
    template_hash: str
    spec_hash: str
    replicas: int
    created_at: str
    created_by: str
    reason: str = ""
    rollback_of: int = 0
    parent: int = 0
    rendered: str = ""
    orchctl_version: str = ""
    source_seq: int | None = None
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A stored revision with its mutable part.

    ``replicas_override`` is a count set by ``scale`` since, None = none; ``override_by`` says by whom
    and when. ``note`` tells how it ended. ``version`` is the store's, for the next conditional write.
    """

    revision: Revision
    status: RevisionStatus
    version: str
    replicas_override: int | None = None
    override_by: str = ""
    note: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def source_seq(self) -> int | None:
        """The number of the newest build that deployed exactly this: the record's, or one noted since."""
        noted = self.extra.get(NOTED_SOURCE, "")
        return int(noted) if noted.isdigit() else self.revision.source_seq
