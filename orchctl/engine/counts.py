"""How many replicas a way back keeps, and who said so."""

from __future__ import annotations

from collections.abc import Sequence

from orchctl.core.backend import Live
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.core.service import Service

RAN = "ran"
"""Key of a record's metadata: how many ran before its rollout."""
OUTSIDE = "set by an autoscaler or by hand on the backend"


def kept_count(target: Recorded, live: Live | None, records: Sequence[Recorded]) -> tuple[int, str]:
    """The count of a rollback to ``target``, and who set it by hand ("" = the spec, or nobody).

    What no spec says stays as it is. A count set by hand is kept until a spec is deployed that says another: the record of
    a rollback carries it, so it survives any number of them. ``records``: newest first.
    """
    spec = target.revision.service
    index = next((i for i, r in enumerate(records) if r.status is RevisionStatus.DEPLOYED), None)
    if live is None or index is None:
        return target.revision.replicas, ""
    newest, deployed = records[0], records[index]
    noted = next((r for r in records[: index + 1] if r.replicas_override is not None), None)
    ran = live.replicas if index == 0 else _ran(records[index - 1], deployed)
    count, by = ran, "" if ran == deployed.revision.replicas else OUTSIDE
    if (
        noted is not None
        and noted.replicas_override is not None
        and (noted is newest or noted.replicas_override == ran)
    ):
        count, by = noted.replicas_override, noted.override_by
        if noted is newest and live.replicas not in (0, count):
            count, by = live.replicas, OUTSIDE
    if not count:  # stopped: going back starts it again
        return spec.replicas or target.revision.replicas, ""
    if spec.replicas is None:
        return _within(spec, count), ""
    return (count, by) if by else (spec.replicas, "")


def _ran(failed: Recorded, deployed: Recorded) -> int:
    """How many of the deployed revision ran when the one after it began."""
    ran = failed.extra.get(RAN, "")
    return int(ran) if ran.isdigit() else deployed.revision.replicas


def _within(spec: Service, count: int) -> int:
    return max(spec.scaling.min, min(spec.scaling.max, count)) if spec.scaling else count
