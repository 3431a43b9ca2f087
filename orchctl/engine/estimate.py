"""How long a rollout takes as a rule, from the records of those before. A guess for people: nothing is decided by it."""

from __future__ import annotations

from collections.abc import Sequence

from orchctl.core.revision import Recorded, RevisionStatus

TOOK = "took_ms"
"""Key of a record's metadata: from its first line to the good verdict, when one run saw all of it."""
_ASKED = 5
_GOOD = (RevisionStatus.DEPLOYED, RevisionStatus.SUPERSEDED)
_LONGEST_DIGITS = 9  # eleven days; anybody may write into metadata


def usual_ms(records: Sequence[Recorded]) -> int:
    """The middle one of the newest good rollouts that were timed; 0 = there is none."""
    timed = [took for r in records if r.status in _GOOD and (took := _took_ms(r))]
    newest = sorted(timed[:_ASKED])
    return newest[len(newest) // 2] if newest else 0


def _took_ms(recorded: Recorded) -> int:
    text = recorded.extra.get(TOOK, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_DIGITS else 0
