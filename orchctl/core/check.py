"""One thing that ``orchctl doctor`` looked at."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from orchctl.errors import AuthRefused

_MOST_SKEW_S = 30
_SOON_DAYS = 21


class Health(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    """Works today; something will not, or not well."""
    BAD = "bad"
    """A command would fail because of this."""
    UNKNOWN = "unknown"
    """Could not be looked at; the finding says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``name`` is a word or two (``version``, ``permissions``); ``finding`` a sentence; ``hint`` what to do, "" when
    there is nothing to do. ``exit_code`` is what a command ends with because of it, when it is BAD: most often a right
    or valid credentials are missing."""

    name: str
    health: Health
    finding: str
    hint: str = ""
    exit_code: int = AuthRefused.exit_code


def clock(theirs: datetime | None, now: datetime, *, whose: str) -> Check:
    """This machine's clock beside that of the ``whose`` (server, engine); None = it does not tell."""
    if theirs is None or theirs.tzinfo is None:
        return Check(name="clock", health=Health.UNKNOWN, finding=f"the {whose} does not tell its time")
    skew = abs((now - theirs).total_seconds())
    if skew > _MOST_SKEW_S:
        finding = f"this machine's clock differs from the {whose}'s by {skew:.0f} s"
        hint = "tokens and certificates may seem to have ended or not begun, and times in logs mislead: set the clock"
        return Check(name="clock", health=Health.WARNING, finding=finding, hint=hint)
    return Check(name="clock", health=Health.GOOD, finding=f"agrees with the {whose}'s")


def last_day(name: str, end: datetime, now: datetime, *, short: bool = False) -> Check:
    """How long a certificate or a token is still good; a ``short`` one is so by design."""
    days, when = (end - now).days, end.strftime("%Y-%m-%d")
    if days < 0:
        return Check(name=name, health=Health.BAD, finding=f"ended on {when}", hint="renew it")
    if days < _SOON_DAYS and not short:
        return Check(name=name, health=Health.WARNING, finding=f"ends on {when}, in {days} days", hint="renew it")
    return Check(name=name, health=Health.GOOD, finding=f"good until {when}")


def certificate_end(path: str) -> datetime | None:
    """Of the first certificate in a file; None when it cannot be read."""
    try:
        found = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]  # no public way without a library
        return moment(str(found["notAfter"]))
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def moment(text: str) -> datetime:
    """A certificate's own way to write a time: ``Nov 25 01:00:00 2026 GMT``; ValueError."""
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
