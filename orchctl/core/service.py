"""A service as orchctl wants it: trusted, resolved, in base units.

``spec/lower.py`` makes these from what a user wrote. Times are int milliseconds, CPU is int
millicores, sizes are int bytes. Values are frozen; mappings are never changed after creation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Protocol(StrEnum):
    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


class Expose(StrEnum):
    """Who can reach a port."""

    INTERNAL = "internal"
    """Other services of the same backend network."""
    HOST = "host"
    """The host that runs the instance."""
    CLUSTER = "cluster"
    """Every node of the cluster."""
    EXTERNAL = "external"
    """The outside, through whatever the backend has in front."""


class Strategy(StrEnum):
    ROLLING = "rolling"
    RECREATE = "recreate"


class OnFailure(StrEnum):
    ROLLBACK = "rollback"
    PAUSE = "pause"


class Restart(StrEnum):
    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "never"


class Operator(StrEnum):
    """How a placement requirement compares a node's label."""

    IN = "in"
    NOT_IN = "not_in"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"


class VolumeKind(StrEnum):
    NAMED = "named"
    TMPFS = "tmpfs"
    HOST = "host"


class ProbeKind(StrEnum):
    HTTP = "http"
    TCP = "tcp"
    EXEC = "exec"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret by reference; never its value.

    ``source`` is "" for the backend's own store (``name`` is then its name there), or one of
    ``env``, ``file``, ``exec``: a provider that orchctl asks at deploy time, ``name`` being the
    variable, the path or the command line. ``version`` is a keyed fingerprint of the provider's
    value, filled by the engine, so that a rotated secret rolls the instances.
    """

    name: str
    key: str = ""
    source: str = ""
    version: str = ""


EnvValue = str | SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    name: str
    port: int
    protocol: Protocol = Protocol.TCP
    expose: Expose = Expose.INTERNAL
    published: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file put into every instance: ``content`` or ``secret``, exactly one. ``mode`` is octal text."""

    content: bytes | None = None
    secret: SecretRef | None = None
    mode: str = "0444"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """``name`` is a volume's name (NAMED) or a host path (HOST); ``size_bytes`` 0 = not stated."""

    kind: VolumeKind
    name: str = ""
    size_bytes: int = 0
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an instance reserves and may use at most; None = not stated."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None
    cpu_limit_millis: int | None = None
    memory_limit_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """``path`` for http, ``port`` (a port's name) for http, tcp and grpc, ``command`` for exec."""

    kind: ProbeKind
    path: str = ""
    port: str = ""
    command: tuple[str, ...] = ()
    interval_ms: int = 5_000
    timeout_ms: int = 2_000
    failures: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    ready: Probe | None = None
    live: Probe | None = None
    start_deadline_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Amount:
    """A count, or a percentage of the wanted replicas."""

    value: int
    percent: bool = False

    def of(self, replicas: int, *, round_up: bool) -> int:
        """Instances out of ``replicas``; surge rounds up, unavailability down (as Kubernetes does)."""
        if not self.percent:
            return self.value
        exact = self.value * replicas
        return -(-exact // 100) if round_up else exact // 100

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    strategy: Strategy = Strategy.ROLLING
    max_surge: Amount = Amount(1)
    max_unavailable: Amount = Amount(0)
    min_ready_ms: int = 2_000
    deadline_ms: int = 300_000
    on_failure: OnFailure = OnFailure.ROLLBACK


DRAIN_WITH_PORTS_MS = 5_000
"""A plain server loses requests when it is stopped while clients still know it; without ports nobody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """``drain_ms``: how long an instance still serves after it left the endpoints."""

    signal: str = "SIGTERM"
    grace_ms: int = 30_000
    drain_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    key: str
    op: Operator = Operator.IN
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    require: tuple[Requirement, ...] = ()
    spread: tuple[str, ...] = ()
    max_per_node: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Bounds inside which something else than the spec decides the count."""

    min: int
    max: int
    cpu_percent: int | None = None


class Address(StrEnum):
    """Whose addresses stand in a catalog."""

    SERVICE = "service"
    """Those of the service as a whole: they outlive every instance."""
    INSTANCE = "instance"
    """Those of each instance: right for as long as something keeps them so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How a service stands in its context's catalog. ``name`` "" = the service's own; ``address`` None = as the context says.

    ``shared``: entries of somebody else under the same name are no conflict.
    """

    enabled: bool = True
    name: str = ""
    tags: tuple[str, ...] = ()
    address: Address | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. ``replicas`` None = the live count stays (1 at first deploy).

    ``image_digest`` ("sha256:...") is filled by the engine when the image is pinned.
    ``backends`` holds what only one backend understands, by backend name, as plain JSON values.
    ``allow`` names the services of the namespace that may call this one; None = orchctl does not say.
    ``register`` None = whether it stands in the catalog is up to the context.
    """

    name: str
    namespace: str
    image: str | None = None
    image_digest: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    scaling: Scaling | None = None
    ports: tuple[Port, ...] = ()
    env: Mapping[str, EnvValue] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    resources: Resources = Resources()
    health: Health = Health()
    rollout: Rollout = Rollout()
    restart: Restart = Restart.ALWAYS
    stop: Stop = Stop()
    placement: Placement = Placement()
    needs: Mapping[str, str] = field(default_factory=dict)
    provides: Mapping[str, str] = field(default_factory=dict)
    allow: tuple[str, ...] | None = None
    backends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    register: Registration | None = None

    def sized(self, replicas: int) -> Service:
        """The same service with a definite count."""
        return replace(self, replicas=replicas)

    def on_backend(self) -> Service:
        """What a backend is told: without what orchctl carries out beside it. Even a note would not do: Marathon
        replaces every instance for a changed label. And without the deadline of checks where there is no check: it decides
        nothing, documents do not show it, and so it must not differ on the wire either."""
        health = self.health if self.health.ready or self.health.live else Health()
        return replace(self, allow=None, register=None, health=health)

    def secret_refs(self) -> list[tuple[str, SecretRef]]:
        """Every (path in the spec, reference) of variables and files."""
        found = [(f"env.{k}", v) for k, v in self.env.items() if isinstance(v, SecretRef)]
        return found + [(f"files[{p}]", f.secret) for p, f in self.files.items() if f.secret is not None]

    def port(self, name: str) -> Port:
        """The port of that name; KeyError when there is none (the spec layer has checked)."""
        for port in self.ports:
            if port.name == name:
                return port
        raise KeyError(name)

    def options(self, backend: str) -> Mapping[str, Any]:
        """The ``backends.<backend>`` block, empty when absent."""
        return self.backends.get(backend, {})
