"""Whose deployment is it? Marathon itself does not say who started one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchctl_marathon import normalise
from orchctl_marathon.progress import config_version, expect_of

Json = Mapping[str, Any]


def is_of_our_definition(deployment: Json, live: Json) -> bool:
    """It put in place what stands in ``live``, which is exactly as orchctl writes it, and concerns nothing else.

    So a killed deploy does not block the next one, from whatever machine. A change of the count by somebody else leaves
    ``lastConfigChangeAt`` behind, and one of the definition does not translate back: both are not ours.
    """
    alone = deployment.get("affectedApps") == [live.get("id")] and not deployment.get("affectedPods")
    same = bool(deployment.get("version")) and deployment.get("version") == expect_of(live) == config_version(live)
    return alone and same and normalise.is_as_written(live)
