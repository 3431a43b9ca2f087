"""What the id of a task says: which instance it is, when that was made, and how often it was launched. Pure.

``web.instance-UUID._app.2`` is the second launch of an instance (since 1.8). The UUID is time-based: of 140 recorded
tasks each was made under the definition that it shows as its own.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

_INCARNATION = re.compile(r"(?P<instance>.+?)\._app\.(?P<number>\d+)$")
_SHORT = re.compile(r".*\.(?:instance|marathon)-([0-9a-f]{8}-[0-9a-f]{4})-[0-9a-f-]+")
_UUID = re.compile(r".*\.(?:instance|marathon)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_START_OF_UUIDS = datetime(1582, 10, 15, tzinfo=UTC)  # RFC 9562, section 5.1


def launch_of(identity: str) -> tuple[str, int]:
    """The instance's whole id, and how often it was launched."""
    match = _INCARNATION.fullmatch(identity)
    return (match["instance"], int(match["number"])) if match else (identity, 1)


def former_launch(identity: str) -> str:
    """The id of the task before this one; "" = it is the first."""
    instance, number = launch_of(identity)
    return f"{instance}._app.{number - 1}" if number > 1 else ""


def slot_of(identity: str) -> str:
    """The instance, by the part of its UUID that differs."""
    instance, _ = launch_of(identity)
    short = _SHORT.fullmatch(instance)
    return short[1] if short else instance


def is_made_before(identity: str, moment: str) -> bool:
    """``moment``: ISO 8601 UTC, as Marathon writes it. An id or a moment that cannot be read is not before anything."""
    found = _UUID.fullmatch(launch_of(identity)[0])
    if found is None or (known := uuid.UUID(found[1])).version != 1:
        return False
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return False
    return at.tzinfo is not None and _START_OF_UUIDS + timedelta(microseconds=known.time // 10) < at
