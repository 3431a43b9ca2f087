"""Why a service is not healthy: what is wrong now, else what went wrong last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchctl.core.codec import from_plain
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.core.rollout import Failure
from orchctl.engine import evidence, journal
from orchctl.engine.history import Records
from orchctl.engine.session import Session
from orchctl.engine.status import ServiceStatus, status
from orchctl.engine.verdict import Culprit


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """``failures`` are of now, or (``of_revision`` not 0) the kept evidence of that failed revision.

    ``evidence_missing``: the revision failed, but its evidence was kept on another machine; ``note`` is its summary.
    """

    status: ServiceStatus
    failures: tuple[Failure, ...] = ()
    of_revision: int = 0
    note: str = ""
    evidence_missing: bool = False


def why(session: Session, namespace: str, name: str) -> Diagnosis:
    """Look at the service; fall back to the newest failed revision's evidence."""
    now = status(session, namespace, [name])[0]
    culprits = [Culprit(i.problem, i) for i in now.progress.instances if i.current and i.problem]
    if now.progress.verdict is not None and not culprits:
        culprits = [Culprit(now.progress.verdict)]
    if culprits:
        return Diagnosis(status=now, failures=evidence.collect(session, namespace, name, culprits))
    records = Records(session.store, namespace, name).newest_first()
    bad = _last_failure(records)
    if bad is None:
        return Diagnosis(status=now)
    number = bad.revision.number
    kept = journal.read_evidence(session.context, namespace=namespace, name=name, revision=number)
    failures = _failures(kept.get("failures")) if kept else ()
    return Diagnosis(status=now, failures=failures, of_revision=number, note=bad.note, evidence_missing=kept is None)


def _last_failure(records: Sequence[Recorded]) -> Recorded | None:
    """The newest failure, unless a newer deploy that was no rollback succeeded since."""
    for recorded in records:
        if recorded.status in (RevisionStatus.FAILED, RevisionStatus.ROLLED_BACK):
            return recorded
        if not recorded.revision.rollback_of:
            return None
    return None


def _failures(plain: object) -> tuple[Failure, ...]:
    if not isinstance(plain, list):
        return ()
    try:
        return tuple(from_plain(Failure, item) for item in plain)
    except ValueError:
        return ()
