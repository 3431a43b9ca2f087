"""What a failed task, an unhealthy one or a queue of refused offers means. Texts are those of Mesos and Marathon 1.8. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchctl.core.rollout import FailureKind, Problem

Json = Mapping[str, Any]

# First match wins.
_TEXTS: tuple[tuple[str, FailureKind], ...] = (
    (r"memory limit exceeded|out of memory|\boom\b|oom-?killed", FailureKind.OUT_OF_MEMORY),
    (r"health check|unhealthy", FailureKind.UNHEALTHY),
    (
        r"docker.*pull|manifest|no such image|image.*not found|pull access|failed to fetch .*image|provision",
        FailureKind.IMAGE,
    ),
    (r"address already in use|port is already allocated", FailureKind.PORT_TAKEN),
    (r"not found|no such file or directory|permission denied|unknown user|failed to get user", FailureKind.CONFIG),
    (r"failed to (execute|fetch|create)|invalid", FailureKind.CONFIG),
)
_TRANSIENT = re.compile(
    r"time-?d?\s?out|TLS handshake|connection reset|\bEOF\b|too many requests|HTTP (?:response|status):? '?50[0234]",
    re.IGNORECASE,
)
_STATUS = re.compile(r"exited with status (\d+)|exit(?:ed with)? code (\d+)")
_SIGNAL = re.compile(r"terminated with signal (\w+)", re.IGNORECASE)
_SIGNALS = {
    "hangup": 1,
    "interrupt": 2,
    "quit": 3,
    "illegal": 4,
    "trace": 5,
    "aborted": 6,
    "bus": 7,
    "floating": 8,
    "killed": 9,
    "segmentation": 11,
    "broken": 13,
    "alarm": 14,
    "terminated": 15,
}
"""First word of what Linux calls them."""

_WORDS = {
    "InsufficientCpus": "too few CPUs are free",
    "InsufficientMemory": "too little memory is free",
    "InsufficientDisk": "too little disk is free",
    "InsufficientGpus": "too few GPUs are free",
    "InsufficientPorts": "the wanted ports are not free",
    "UnfulfilledConstraint": "the placement excludes the agents",
    "UnfulfilledRole": "the agents' resources are for other roles",
    "NoCorrespondingReservationFound": "no reservation fits",
    "AgentMaintenance": "the agents are in maintenance",
    "DeclinedScarceResources": "the agents' GPUs are kept for others",
}


def problem_of(failure: Json) -> Problem:
    """``failure`` is ``lastTaskFailure``: state, message, taskId, version."""
    state, message = str(failure.get("state", "")), str(failure.get("message", "")).strip()
    code = exit_code(message)
    if code is None and state == "TASK_FINISHED":
        code = 0
    if not message:
        message = "the process ended (exit code 0)" if state == "TASK_FINISHED" else f"the task ended as {state}"
    kind = _kind(message, state)
    transient = kind is FailureKind.IMAGE and bool(_TRANSIENT.search(message))
    return Problem(kind=kind, message=message, exit_code=code, transient=transient)


def exit_code(message: str) -> int | None:
    """Of the process, as Mesos' executors word it; 128 + n for a signal; None when they do not say.

    Where nothing was launched a status is that of a helper, such as ``docker pull``.
    """
    if message.startswith("Failed to"):
        return None
    if match := _STATUS.search(message):
        return int(match[1] or match[2])
    if match := _SIGNAL.search(message):
        number = _SIGNALS.get(match[1].lower())
        return None if number is None else 128 + number
    return None


def _kind(message: str, state: str) -> FailureKind:
    if exit_code(message) == 127 or exit_code(message) == 126:
        return FailureKind.CONFIG  # the shell did not find it, or may not run it
    for pattern, kind in _TEXTS:
        if re.search(pattern, message, re.IGNORECASE):
            return kind
    return FailureKind.CONFIG if state == "TASK_ERROR" else FailureKind.CRASHED


def is_held_back(item: Json | None) -> bool:
    """Marathon lets the app wait before its next launch: the back-off of a crash loop."""
    delay = (item or {}).get("delay") or {}
    left = delay.get("timeLeftSeconds")
    return delay.get("overdue") is False and isinstance(left, (int, float)) and left > 0


def unplaced(item: Json | None) -> Problem | None:
    """Why the offers of the last round were refused; None when there was none, or one was taken."""
    summary = (item or {}).get("processedOffersSummary") or {}
    rows = summary.get("rejectSummaryLastOffers")
    if not isinstance(rows, list) or _is_of_before(item, summary):
        return None
    refused = [r for r in rows if isinstance(r, Mapping) and _number(r.get("declined")) > 0]
    if not refused:
        return None
    offers = max(_number(r.get("processed")) for r in rows if isinstance(r, Mapping))
    reasons = [_reason(r, offers) for r in sorted(refused, key=lambda r: -_number(r.get("declined")))]
    return Problem(kind=FailureKind.UNSCHEDULABLE, message=f"no agent takes it: {'; '.join(reasons)}")


def _is_of_before(item: Json | None, summary: Json) -> bool:
    """Refused before this instance was wanted: those are of another definition, and no offer has come since.

    Marathon cuts both times to milliseconds. A rollout wants its next instance in the moment in which it took the last
    offers, so of two equal times the refusal is the earlier: a real one comes again with the next offers.
    """
    since, refused = (item or {}).get("since"), summary.get("lastUnusedOfferAt")
    return isinstance(since, str) and isinstance(refused, str) and refused <= since


def _reason(row: Json, offers: int) -> str:
    name = str(row.get("reason", ""))
    return f"{_WORDS.get(name, name)} ({name}, {_number(row.get('declined'))} of {offers} offers)"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
