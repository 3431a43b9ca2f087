"""Instances and their tasks: what Marathon remembers of each, and how it shows them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.marathon.clock import text
from tests.servers.marathon.definition import service_ports
from tests.servers.marathon.store import Release

if TYPE_CHECKING:
    from tests.servers.marathon.agents import Agent
    from tests.servers.marathon.processes import TaskProcess

STAGING, STARTING, RUNNING, KILLING = "TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"
FAILED, FINISHED, KILLED, UNREACHABLE = "TASK_FAILED", "TASK_FINISHED", "TASK_KILLED", "TASK_UNREACHABLE"
TERMINAL = {FAILED, FINISHED, KILLED, "TASK_LOST", "TASK_GONE", "TASK_ERROR"}
FAILURES = {FAILED, "TASK_ERROR", "TASK_LOST", "TASK_GONE"}
"""States that make a ``lastTaskFailure``; TASK_FINISHED, TASK_KILLED and TASK_UNREACHABLE do not."""


@dataclass
class Health:
    """Results of one health check of one task; times are seconds since the epoch, 0 = never."""

    alive: bool = False
    failures: int = 0
    first_success: float = 0.0
    last_success: float = 0.0
    last_failure: float = 0.0
    cause: str = ""

    def shown(self, instance: str) -> dict[str, Any]:
        times = {
            "firstSuccess": self.first_success,
            "instanceId": 0.0,
            "lastFailure": self.last_failure,
            "lastSuccess": self.last_success,
        }
        shown: dict[str, Any] = {"alive": self.alive, "consecutiveFailures": self.failures}
        for key, at in times.items():
            if key == "instanceId":
                shown[key] = f"instance [{instance}]"
            elif at:
                shown[key] = text(at)
        return shown | ({"lastFailureCause": self.cause} if self.cause else {})


@dataclass
class Task:
    """One launch of an instance."""

    id: str
    release: Release
    agent: Agent
    ports: list[int]
    staged_at: float
    container_address: str = ""
    state: str = STAGING
    started_at: float = 0.0
    health: dict[int, Health] = field(default_factory=dict)
    """By the check's place in the definition; no entry before its first result."""

    ready: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Last readiness result by the check's name."""

    process: TaskProcess | None = None
    kill_at: float = 0.0
    """When SIGTERM was sent; 0 = it was not."""

    kill_reason: str = ""
    unreachable_since: float = 0.0

    @property
    def is_running(self) -> bool:
        return self.state in (RUNNING, KILLING)

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL

    def fate(self) -> tuple[str, float]:
        """What the labels want to happen: the word of ``simulate``, the seconds of ``simulate_after`` (else 0)."""
        labels = self.release.app["labels"]
        after = labels.get("simulate_after", "")
        return labels.get("simulate", ""), float(after) if after.replace(".", "", 1).isdigit() else 0.0

    @property
    def address(self) -> str:
        return self.container_address or self.agent.host


@dataclass
class Instance:
    """One of an app's instances; it keeps its id through relaunches unless it is replaced or removed."""

    id: str
    release: Release
    scheduled_at: float
    launches: int = 0
    task: Task | None = None
    is_doomed: bool = False
    """Its goal is to be gone (Marathon: Decommissioned)."""

    is_inactive: bool = False
    """Unreachable for so long that a replacement was started."""

    @property
    def path(self) -> str:
        return self.release.path

    @property
    def is_waiting(self) -> bool:
        """It wants an offer: never launched, or its last task is over."""
        return not self.is_doomed and (self.task is None or self.task.is_over)

    @property
    def is_live(self) -> bool:
        return self.task is not None and not self.task.is_over

    def is_healthy(self) -> bool:
        """Running, and every check passes."""
        if self.task is None or self.task.state != RUNNING:
            return False
        checks = range(len(self.release.app.get("healthChecks", [])))
        return all(index in self.task.health and self.task.health[index].alive for index in checks)

    def is_unhealthy(self) -> bool:
        return (
            self.task is not None and self.task.is_running and any(not one.alive for one in self.task.health.values())
        )

    def is_ready(self) -> bool:
        names = [one["name"] for one in self.release.app.get("readinessChecks", [])]
        results = self.task.ready if self.task else {}
        return all(results.get(name, {}).get("ready") for name in names)

    def condition(self) -> str:
        """As ``instance_changed_event`` names it."""
        if self.task is None:
            return "Scheduled"
        names = {STAGING: "Provisioned", KILLING: "Killing"}
        return names.get(self.task.state, self.task.state.removeprefix("TASK_").capitalize())


def new_id(path: str) -> str:
    """``shop_web.instance-<time-based uuid>``: a later one has a later time in it."""
    return f"{path.strip('/').replace('/', '_')}.instance-{uuid.uuid1()}"


def shown_task(instance: Instance, *, with_service_ports: bool) -> dict[str, Any]:
    """``servicePorts`` are filled in ``/v2/tasks`` only. A task in back-off has no times and no version."""
    task = instance.task
    assert task is not None
    assigned = task.state != STAGING
    ports = [] if task.is_over else task.ports
    shown: dict[str, Any] = {
        "appId": instance.path,
        "healthCheckResults": [] if task.is_over else shown_health(instance),
        "host": task.agent.host,
        "id": task.id,
        "ipAddresses": [{"ipAddress": task.address, "protocol": "IPv4"}] if assigned else [],
        "ports": ports,
        "servicePorts": service_ports(task.release.app) if with_service_ports else [],
        "slaveId": task.agent.id,
        "state": task.state,
    }
    return shown | ({} if task.is_over else _shown_times(task)) | {"localVolumes": []}


def _shown_times(task: Task) -> dict[str, Any]:
    started = {"startedAt": text(task.started_at)} if task.started_at else {}
    return {"stagedAt": text(task.staged_at), **started, "version": task.release.version}


def shown_health(instance: Instance) -> list[dict[str, Any]]:
    assert instance.task is not None
    return [instance.task.health[index].shown(instance.id) for index in sorted(instance.task.health)]


def counts(instances: Sequence[Instance]) -> dict[str, int]:
    """TASK_STARTING counts as neither staged nor running (08-deployments/549)."""
    tasks = [one.task for one in instances if one.task]
    return {
        "tasksStaged": sum(task.state == STAGING for task in tasks),
        "tasksRunning": sum(task.is_running for task in tasks),
        "tasksHealthy": sum(one.is_healthy() for one in instances if one.release.app.get("healthChecks")),
        "tasksUnhealthy": sum(one.is_unhealthy() for one in instances),
    }


def statistics(instances: Sequence[Instance], release: Release, now: float) -> dict[str, Any]:
    """``taskStats``: groups without a task are left out, an app without tasks has ``{}``."""
    live = [one for one in instances if one.is_live]

    def version(one: Instance) -> str:
        assert one.task is not None
        return one.task.release.version

    groups: Mapping[str, list[Instance]] = {
        "startedAfterLastScaling": [one for one in live if version(one) >= release.scaled_at],
        "withLatestConfig": [one for one in live if version(one) >= release.configured_at],
        "withOutdatedConfig": [one for one in live if version(one) < release.configured_at],
        "totalSummary": live,
    }
    return {name: {"stats": _statistics(group, now)} for name, group in groups.items() if group}


def _statistics(instances: Sequence[Instance], now: float) -> dict[str, Any]:
    numbers = {key.removeprefix("tasks").lower(): value for key, value in counts(instances).items()}
    ages = sorted(now - one.task.started_at for one in instances if one.task and one.task.started_at)
    shown: dict[str, Any] = {"counts": numbers}
    if ages:
        median = (ages[len(ages) // 2] + ages[(len(ages) - 1) // 2]) / 2
        times = {"averageSeconds": sum(ages) / len(ages), "medianSeconds": median}
        shown["lifeTime"] = {key: round(value, 3) for key, value in times.items()}
    return shown
