"""An older build that finishes last must not replace a newer one (``--source-seq``).

The comparison is with the highest number that is kept, not with the newest revision: a rollback has no number, and
the build that was rolled back from is still the newest that was deployed.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.errors import OlderSource

# A pending one was sent: --no-wait leaves it so. One that failed has left nothing behind that could be overwritten.
_DEPLOYED = (RevisionStatus.DEPLOYED, RevisionStatus.SUPERSEDED, RevisionStatus.PENDING)


def newest_build(records: Sequence[Recorded]) -> Recorded | None:
    """The revision with the highest number; None when none has a number."""
    deployed = [r for r in records if r.status in _DEPLOYED and r.source_seq is not None]
    return max(deployed, key=lambda r: r.source_seq or 0, default=None)


def refuse_older(service: str, records: Sequence[Recorded], number: int | None) -> None:
    """OlderSource when a newer build is kept; without a number nothing is compared."""
    newest = newest_build(records)
    if number is not None and newest is not None and (newest.source_seq or 0) > number:
        raise OlderSource(service, number, newest.source_seq or 0, revision=newest.revision.number)


def is_news(records: Sequence[Recorded], number: int | None) -> bool:
    """No kept revision knows a number as high as this."""
    newest = newest_build(records)
    return number is not None and (newest is None or (newest.source_seq or 0) < number)
