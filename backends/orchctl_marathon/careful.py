"""Going back from a rollout that is stuck, without losing an instance that serves. Pure.

When an app is replaced, Marathon kills at once as many instances as there are above the healthy minimum, and counts for
that every instance it has or wants, in whatever state; which ones go is not defined (TaskReplaceActor of 1.8; seen with a
running instance lost to one that could not be placed). With two old instances that serve and a new one that fails it
would stop one of the two. So the app is sent with as many instances as are counted, and with none of them to spare;
once they run, the engine scales to the count that was asked for, which the app's note of what was asked for keeps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchctl.core.codec import canonical_json
from orchctl.core.service import Service
from orchctl_marathon.names import INTENT
from orchctl_marathon.rollout import strict_strategy
from orchctl_marathon.translate import is_fixed, strict_intent


@dataclass(frozen=True, slots=True)
class Crowd:
    """``counted``: every instance that Marathon has or wants; ``ready``: those of them that serve."""

    counted: int
    ready: int


def careful(service: Service, body: dict[str, Any], crowd: Crowd) -> dict[str, Any]:
    """``body``, changed where sending it as it is could stop more of those that serve than the spec allows.

    With fixed ports of the hosts one more instance may find no place, so the spec's own numbers have to do.
    """
    wanted = int(body["instances"])
    if not wanted or not crowd.ready or any(is_fixed(p) for p in service.ports):
        return body
    least = _least_healthy(wanted, body["upgradeStrategy"])
    killed = max(0, crowd.counted - least)
    if crowd.ready - killed >= min(crowd.ready, least):
        return body
    instances = max(wanted, crowd.counted)
    return {
        **body,
        "instances": instances,
        "upgradeStrategy": strict_strategy(service, instances),
        "labels": _asking(strict_intent(body["labels"], instances), wanted),
    }


def asked_of(app: Mapping[str, Any]) -> int | None:
    """The count that was asked for when ``app`` was sent carefully; None when it was not, or was scaled since."""
    try:
        noted = json.loads((app.get("labels") or {}).get(INTENT, ""))
        sent = noted.get("strict") is True and noted.get("sized") == app.get("instances")
        asked = noted.get("asked") if sent else None
    except (ValueError, TypeError, AttributeError):
        return None
    return asked if isinstance(asked, int) and asked > 0 else None


def anew(body: dict[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """``body``, such that Marathon replaces every instance also where nothing but the count differs from ``live``:
    a change of the count alone would stop the surplus, whichever of them serves."""
    labels = body["labels"]
    if (body["upgradeStrategy"], labels) != (live.get("upgradeStrategy"), live.get("labels")):
        return body
    noted = {**json.loads(labels[INTENT]), "after": str(live.get("version", ""))}
    return {**body, "labels": {**labels, INTENT: canonical_json(noted)}}


def _asking(labels: Mapping[str, str], wanted: int) -> dict[str, str]:
    return {**labels, INTENT: canonical_json({**json.loads(labels[INTENT]), "asked": wanted})}


def _least_healthy(replicas: int, strategy: Mapping[str, float]) -> int:
    """As Marathon computes it."""
    return math.ceil(replicas * strategy["minimumHealthCapacity"])
