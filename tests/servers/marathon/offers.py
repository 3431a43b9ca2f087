"""The launch queue: back-off, constraints, and why an offer was not taken."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.servers.marathon.agents import Agent
from tests.servers.marathon.clock import text
from tests.servers.marathon.instances import Instance

REASONS = (
    "UnfulfilledRole",
    "UnfulfilledConstraint",
    "NoCorrespondingReservationFound",
    "AgentMaintenance",
    "InsufficientCpus",
    "InsufficientMemory",
    "InsufficientDisk",
    "InsufficientGpus",
    "InsufficientPorts",
    "DeclinedScarceResources",
)
"""In the order in which an offer is judged: a later one is reached only by offers that passed the earlier."""


@dataclass
class Delay:
    """Back-off of one app; ``until`` in seconds since the epoch."""

    step: float = 0.0
    until: float = 0.0

    def grow(self, app: Mapping[str, Any], now: float) -> None:
        longest = float(app["maxLaunchDelaySeconds"])
        grown = self.step * app["backoffFactor"] if self.step else float(app["backoffSeconds"])
        self.step = min(grown, longest)
        self.until = now + self.step

    def is_stale(self, app: Mapping[str, Any], now: float) -> bool:
        """An app that has run for longer than its longest delay starts from the first one again."""
        return now > self.until + float(app["maxLaunchDelaySeconds"])


@dataclass
class Offer:
    """What one agent had free when it offered."""

    agent: Agent
    cpus: float
    mem: float
    disk: float

    def shown(self) -> dict[str, Any]:
        scalars = {"cpus": self.cpus, "mem": self.mem, "disk": self.disk}
        role = self.agent.role
        resources: list[dict[str, Any]] = [
            {"name": name, "role": role, "scalar": int(value) if value == int(value) else value}
            for name, value in scalars.items()
        ]
        resources.append({"name": "ports", "role": role, "ranges": [{"begin": 31000, "end": 32000}]})
        return {
            "id": str(uuid.uuid4()),
            "hostname": self.agent.host,
            "agentId": self.agent.id,
            "resources": resources,
            "attributes": [{"name": name, "text": value} for name, value in self.agent.attributes.items()],
        }


@dataclass
class Statistics:
    """Of one app's launch attempts since it was queued."""

    processed: int = 0
    unused: int = 0
    last_unused_at: float = 0.0
    last_used_at: float = 0.0
    judged_at: float = 0.0
    """Last round of offers that the app took part in."""

    attempts: Counter[str] = field(default_factory=Counter)
    """Declined, by reason."""

    last: dict[str, tuple[Offer, str, float]] = field(default_factory=dict)
    """The last offer that was not taken, by agent: offer, reason, when."""

    def note(self, offer: Offer, reason: str, now: float) -> None:
        """``reason`` "" = taken."""
        self.processed += 1
        if not reason:
            self.last_used_at = now
            self.last.pop(offer.agent.id, None)
            return
        self.unused += 1
        self.last_unused_at = now
        self.attempts[reason] += 1
        self.last[offer.agent.id] = (offer, reason, now)

    def summary(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"processedOffersCount": self.processed, "unusedOffersCount": self.unused}
        if self.last_unused_at:
            shown["lastUnusedOfferAt"] = text(self.last_unused_at)
        if self.last_used_at:
            shown["lastUsedOfferAt"] = text(self.last_used_at)
        last = Counter(reason for _, reason, _ in self.last.values())
        shown["rejectSummaryLastOffers"] = _by_reason(len(self.last), last)
        shown["rejectSummaryLaunchAttempt"] = _by_reason(self.processed, self.attempts)
        return shown

    def unused_offers(self) -> list[dict[str, Any]]:
        return [
            {"offer": offer.shown(), "reason": [reason], "timestamp": text(at)}
            for offer, reason, at in self.last.values()
        ]


def _by_reason(processed: int, declined: Mapping[str, int]) -> list[dict[str, Any]]:
    shown = []
    for reason in REASONS:
        shown.append({"reason": reason, "declined": declined.get(reason, 0), "processed": processed})
        processed -= declined.get(reason, 0)
    return shown


def judge(offer: Offer, app: Mapping[str, Any], placed: Sequence[Instance], fleet: Sequence[Agent], role: str) -> str:
    """Why ``offer`` cannot carry a task of ``app``; "" = it can. ``placed`` are the app's live instances."""
    if offer.agent.role not in app.get("acceptedResourceRoles", ["*", role]):
        return "UnfulfilledRole"
    if not all(_fits(one, offer.agent, placed, fleet) for one in app.get("constraints", [])):
        return "UnfulfilledConstraint"
    # Sums of tenths: without tolerance the last task of a full agent would not fit.
    for name, reason in (("cpus", "InsufficientCpus"), ("mem", "InsufficientMemory"), ("disk", "InsufficientDisk")):
        if app[name] > getattr(offer, name) + 1e-9:
            return reason
    return "InsufficientGpus" if app["gpus"] else ""


def _value(agent: Agent, key: str) -> str | None:
    return agent.host if key in ("hostname", "@hostname") else agent.attributes.get(key)


def _fits(constraint: Sequence[str], agent: Agent, placed: Sequence[Instance], fleet: Sequence[Agent]) -> bool:
    key, operator = constraint[0], constraint[1]
    wanted = constraint[2] if len(constraint) > 2 else ""
    value = _value(agent, key)
    if value is None:  # a missing attribute passes UNLIKE only
        return operator == "UNLIKE"
    if operator in ("LIKE", "UNLIKE"):
        return bool(re.fullmatch(wanted, value)) is (operator == "LIKE")
    if operator == "IS":
        return value == wanted
    used = Counter(_value(one.task.agent, key) for one in placed if one.task)
    return _spreads(operator, wanted, value, used, {_value(one, key) for one in fleet} - {None})


def _spreads(operator: str, wanted: str, value: str, used: Counter[str | None], known: set[str | None]) -> bool:
    if operator == "UNIQUE":
        return not used[value]
    if operator == "MAX_PER":
        return used[value] < int(wanted)
    if operator == "CLUSTER":
        return value == wanted if wanted else set(used) <= {value}
    groups = max(int(wanted or 0), len(known) if not wanted else 0, 1)  # GROUP_BY
    # A group that was never seen still counts as empty, until as many are known as were announced.
    lowest = 0 if len(used) < groups else min(used.values())
    return used[value] <= lowest
