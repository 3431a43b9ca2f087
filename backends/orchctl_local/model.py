"""What stands in the files: the desired state of a service, and what the keeper has observed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from orchctl.core.codec import from_plain
from orchctl.core.rollout import Problem
from orchctl.core.service import SecretRef, Service

OWNER = "orchctl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """One service as it shall be. ``service.replicas`` is None: the count stands beside it.

    ``epoch`` grows with every restart asked for. ``version`` is the context's number of the last change.
    """

    owner: str
    service: Service
    template_hash: str
    replicas: int
    version: int = 0
    revision: int = 0
    epoch: int = 0
    paused: bool = False
    secrets_dir: str = ""

    @property
    def generation(self) -> str:
        """What decides whether an instance is right: the template, and restarts asked for."""
        return f"{self.template_hash}-{self.epoch}"


class Step(StrEnum):
    """Where a replica is in its life."""

    WAITING = "waiting"
    """No process: to be started at ``until_ms``."""
    UP = "up"
    DRAINING = "draining"
    """Out of the endpoints, still serving until ``until_ms``."""
    STOPPING = "stopping"
    """Its stop signal was sent; it is killed at ``until_ms``."""
    ENDED = "ended"
    """Its process ended and its restart policy leaves it so."""


@dataclass(slots=True, kw_only=True)
class Replica:
    """One replica of one generation. Times are milliseconds of this boot's monotonic clock, 0 = never."""

    number: int
    slot: int
    template_hash: str
    generation: str
    step: Step = Step.WAITING
    until_ms: int = 0
    attempt: int = 0
    instance: str = ""
    pid: int = 0
    pid_start: str = ""
    started_ms: int = 0
    ready: bool = False
    ready_ms: int = 0
    was_ready: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    exits: int = 0
    problem: Problem | None = None
    log_id: str = ""
    probe: str = ""

    @property
    def leaving(self) -> bool:
        return self.step in (Step.DRAINING, Step.STOPPING)

    @property
    def has_process(self) -> bool:
        return self.step in (Step.UP, Step.DRAINING, Step.STOPPING)


@dataclass(slots=True, kw_only=True)
class Status:
    """What the keeper knows of one service. ``version`` is the desired one it has acted on."""

    version: int = 0
    life: str = ""
    """Which supervisord this was seen under (``daemon_lock.life``)."""

    settled: bool = False
    next_number: int = 1
    replicas: list[Replica] = field(default_factory=list)

    def forget_processes(self) -> None:
        """After supervisord died, or the machine was started again: no process is left, no time is comparable."""
        self.settled = False
        for replica in self.replicas:
            replica.ready, replica.ready_ms, replica.started_ms, replica.until_ms = False, 0, 0, 0
            replica.was_ready = False
            if replica.step is Step.UP:
                replica.step = Step.WAITING


def desired_from(plain: object) -> Desired | None:
    """None when it is not a definition, or not one of ours."""
    try:
        desired = from_plain(Desired, plain)
    except ValueError:
        return None
    return desired if desired.owner == OWNER else None


def status_from(plain: object) -> Status | None:
    """None when there is none that can be read."""
    try:
        return from_plain(Status, plain)
    except ValueError:
        return None


def secret_digest(ref: SecretRef) -> str:
    """The file name of a provider secret's value; another version is another file."""
    import hashlib  # loads OpenSSL, which takes longer than all of this file

    text = "\0".join((ref.source, ref.name, ref.key, ref.version))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
