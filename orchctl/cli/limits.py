"""Durations of flags."""

from __future__ import annotations

from orchctl.cli.options import Waiting
from orchctl.core.units import parse_duration
from orchctl.engine.operation import Limits
from orchctl.errors import UsageError


def limits_of(waiting: Waiting) -> Limits:
    """What the waiting flags say; UsageError for nonsense."""
    if waiting.no_wait and waiting.timeout:
        raise UsageError("--no-wait and --timeout exclude each other", hint="leave one of them out")
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
