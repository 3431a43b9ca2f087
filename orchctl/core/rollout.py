"""What is observed while a service converges, and how an operation ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class InstanceState(StrEnum):
    PENDING = "pending"
    """Accepted, but no process yet: not placed on a node, or its image is being fetched."""
    STARTING = "starting"
    """Its process starts, or its readiness check is not good yet."""
    RUNNING = "running"
    """Its process runs and, where a readiness check exists, has passed it."""
    STOPPING = "stopping"
    """Told to stop, or about to be: draining, or in its grace period."""
    EXITED = "exited"
    """No process: ended, failed or refused, and (perhaps) waiting for its next start."""


class FailureKind(StrEnum):
    """Why an instance does not run well; the same words on every backend."""

    CRASHED = "crashed"
    IMAGE = "image"
    CONFIG = "config"
    UNSCHEDULABLE = "unschedulable"
    PORT_TAKEN = "port_taken"
    UNHEALTHY = "unhealthy"
    OUT_OF_MEMORY = "out_of_memory"
    REFUSED = "refused"
    """Quota or admission."""
    DEADLINE = "deadline"
    """None of the others by ``rollout.deadline``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What the backend says about one instance or about the rollout, classified.

    ``transient``: the kind may pass by itself (a registry time-out); ``message`` is backend text,
    not yet fit for a terminal.
    """

    kind: FailureKind
    message: str
    exit_code: int | None = None
    transient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A replica as seen on the backend.

    ``id`` is new whenever the process is; ``slot`` is the replica's place ("" where the backend
    has none) and survives replacement. ``current``: it runs the service's *present* definition,
    restarts asked for included (the adapter knows: Swarm compares the task's spec, Kubernetes the
    ReplicaSet, local the generation). ``ready``: may receive traffic now. ``exits``: how often the
    process of this slot ended by itself under this template; ``held_back``: it ended, and the backend lets it wait
    before it starts again. ``log_id``: the instance whose output
    tells the story of ``problem`` ("" = this one).
    """

    id: str
    slot: str = ""
    node: str = ""
    template_hash: str = ""
    current: bool = True
    state: InstanceState = InstanceState.PENDING
    ready: bool = False
    exits: int = 0
    held_back: bool = False
    problem: Problem | None = None
    log_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One look at one service: every instance that exists, finished ones of the last round included.

    ``template_hash`` is the live definition's ("" = the service does not exist), ``expect`` its version. ``settled``: the backend's
    own update machinery is idle. ``verdict``: the backend itself gave up (a paused Swarm update, a refused
    quota). ``paused``: the rollout stands still until somebody deploys or restarts. ``note`` is what the backend is waiting for, in its words.
    ``stalled`` says what the backend left undone and takes up only when it is told its definition again
    (``Writer.remind``); "" = nothing, or it is still at work.
    """

    template_hash: str
    expect: str = ""
    replicas: int
    instances: tuple[Instance, ...] = ()
    settled: bool = True
    verdict: Problem | None = None
    paused: bool = False
    note: str = ""
    stalled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What a waiter needs to go on, in this process or the next; stored in the journal as JSON.

    ``ref`` is the backend's own identity of the written object, "" when the engine resumes without one
    (adapters must poll without it); ``template_hash`` and ``replicas`` are the target.
    """

    backend: str
    namespace: str
    service: str
    template_hash: str
    replicas: int
    ref: str = ""
    version: int = 1


class Phase(StrEnum):
    """A service's condition, the same words on every backend."""

    PENDING = "pending"
    PROGRESSING = "progressing"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A problem with its evidence, kept before anything is rolled back.

    ``message`` is what the backend said, an event included where nothing else tells. ``logs`` are the last lines of
    the failed process's output, oldest first. ``count``: how many instances share it.
    """

    kind: FailureKind
    message: str
    instance: str = ""
    node: str = ""
    exit_code: int | None = None
    logs: tuple[str, ...] = ()
    count: int = 1


class EventKind(StrEnum):
    STEP = "step"
    """The operation moved on: lease, record, apply, wait, done."""
    INSTANCE = "instance"
    """An instance changed its state."""
    PROGRESS = "progress"
    """A look at the service; ``progress`` is set."""
    WAITING = "waiting"
    """Somebody else holds the lease, or the backend is waiting for something."""
    WARNING = "warning"
    """Something of the spec is not carried out as written."""
    PROBLEM = "problem"
    """A failure was classified, or a read failed and is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the engine says while it works. ``at_ms`` counts from the start of the command. ``usual_ms``: how long what
    begins here takes as a rule, 0 = nobody knows."""

    at_ms: int
    kind: EventKind
    service: str
    text: str
    progress: Progress | None = None
    usual_ms: int = 0


class OutcomeState(StrEnum):
    UNCHANGED = "unchanged"
    CONVERGED = "converged"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    IN_PROGRESS = "in_progress"
    DELETED = "deleted"
    NOT_STARTED = "not_started"
    """A service of an earlier wave failed, so this one was left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one service's operation ended. ``revision`` 0 = none was made or is known."""

    service: str
    state: OutcomeState
    revision: int = 0
    exit_code: int = 0
    duration_ms: int = 0
    message: str = ""
    hint: str = ""
    error_code: str = ""
    failures: tuple[Failure, ...] = ()
    events: tuple[Event, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
