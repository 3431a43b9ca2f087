"""Durations of flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchctl.cli.options import Waiting
from orchctl.core.units import parse_duration
from orchctl.errors import UsageError

if TYPE_CHECKING:
    from orchctl.engine.operation import Limits


def limits_of(waiting: Waiting) -> Limits:
    """What the waiting flags say; UsageError for nonsense."""
    if waiting.no_wait and waiting.timeout:
        raise UsageError("--no-wait and --timeout exclude each other", hint="leave one of them out")
    from orchctl.engine.operation import Limits  # `status` has durations, too, and no operation: a tenth of its time

    return Limits(
        timeout_ms=duration("--timeout", waiting.timeout) if waiting.timeout else None,
        lock_timeout_ms=duration("--lock-timeout", waiting.lock_timeout),
        wait=not waiting.no_wait,
    )


def duration(flag: str, text: str) -> int:
    """Milliseconds of a flag's duration."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None
