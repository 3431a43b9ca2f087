"""What a user wrote, as models: the fields, their types, their descriptions.

Each model is one mapping of the spec. None means "not stated"; defaults live in ``core.service`` and, where
they depend on other fields, in ``lower`` (a test holds the texts below to them). ``schema`` takes the text under
each field for the JSON Schema and for specs/fields.md; reading it on every start would cost more than validating.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from orchctl.spec import fieldtypes as t

API_VERSION = "orchctl.dev/v1"

Signal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGKILL"]


class Spec(BaseModel):
    """Strict: an unknown key is an error and no value is converted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class Secret(Spec):
    secret: t.SecretName
    """Name in the backend's own store; or env:NAME, file:PATH, exec:COMMAND, asked at deploy time."""
    key: str = ""
    """Entry of a secret that has several; only for the backend's own store."""


class Port(Spec):
    name: t.PortName
    """Name of the port; the process finds the number in PORT_<NAME>."""
    port: t.PortNumber
    """Number that the process listens on."""
    protocol: Literal["tcp", "udp", "sctp"] | None = None
    """Transport protocol. Default tcp."""
    expose: Literal["internal", "host", "cluster", "external"] | None = None
    """Who reaches it: other services, the instance's host, every node of the cluster, the outside. Default internal."""
    published: t.PortNumber | None = None
    """Fixed number outside the instance; default: the backend chooses. Not with expose: internal."""


class File(Spec):
    """A file in every instance: exactly one of source, content, secret."""

    source: str | None = None
    """Path of a file beside the spec; at most 1 MiB, inside the spec's directory."""
    content: str | None = None
    """The file's text; variables are substituted."""
    secret: t.SecretName | None = None
    """Secret that is the content; as env.*.secret."""
    key: str = ""
    """Entry of the secret, as env.*.key."""
    mode: t.Mode | None = None
    """Permissions as octal text. Default "0444"."""


class Volume(Spec):
    """Storage mounted into every instance: exactly one of name, tmpfs, host."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")] | None = None
    """Named volume that outlives instances."""
    size: t.Size | None = None
    """Size of the named volume, for example 1Gi."""
    tmpfs: t.Size | None = None
    """Memory file system of this size."""
    host: t.AbsolutePath | None = None
    """Directory of the host."""
    read_only: bool = False
    """Mounted without write permission. Default false."""


class Limits(Spec):
    cpu: t.Cpu | None = None
    """Most CPU an instance gets, for example 500m or 1.5."""
    memory: t.Size | None = None
    """Memory at which an instance is killed, for example 512Mi."""


class Resources(Spec):
    cpu: t.Cpu | None = None
    """CPU reserved for an instance, for example 250m or 1.5."""
    memory: t.Size | None = None
    """Memory reserved for an instance, for example 256Mi."""
    limits: Limits | None = None
    """What an instance may use at most."""


class HttpProbe(Spec):
    path: t.UrlPath = "/"
    """Path that answers with status 200 to 399. Default /."""
    port: t.PortName
    """Name of a declared port."""


class PortProbe(Spec):
    port: t.PortName
    """Name of a declared port."""


class ExecProbe(Spec):
    command: Annotated[tuple[t.Word, ...], Field(min_length=1)]
    """Command inside the instance that exits with 0."""


class Probe(Spec):
    """A check: exactly one of http, tcp, exec, grpc."""

    http: HttpProbe | None = None
    """HTTP request."""
    tcp: PortProbe | None = None
    """The port accepts connections."""
    exec: ExecProbe | None = None
    """A command succeeds."""
    grpc: PortProbe | None = None
    """The standard gRPC health service says SERVING."""
    interval: t.PositiveDuration | None = None
    """Time between two checks. Default 5s."""
    timeout: t.PositiveDuration | None = None
    """How long one check may take. Default 2s."""
    failures: Annotated[int, Field(ge=1, le=100)] | None = None
    """Failed checks in a row that count as a failure. Default 3."""


class Start(Spec):
    deadline: t.PositiveDuration | None = None
    """Time after which an instance that is not ready has failed. Default 1m."""


class Health(Spec):
    ready: Probe | None = None
    """Decides whether an instance receives traffic."""
    live: Probe | None = None
    """Decides whether an instance is restarted."""
    start: Start | None = None
    """How long starting may take."""


class Rollout(Spec):
    strategy: Literal["rolling", "recreate"] | None = None
    """rolling replaces instances step by step, recreate stops all of them first. Default rolling."""
    max_surge: t.Amount | None = None
    """Instances above the wanted number during a rollout, as count or percentage (rounded up). Default 1."""
    max_unavailable: t.Amount | None = None
    """Instances that may be missing during a rollout, as count or percentage (rounded down). Default 0."""
    min_ready: t.Duration | None = None
    """How long an instance must be ready before it counts. Default 2s."""
    deadline: t.PositiveDuration | None = None
    """Time after which a rollout has failed. Default 5m."""
    on_failure: Literal["rollback", "pause"] | None = None
    """rollback brings the last good revision back, pause leaves everything as it is. Default rollback."""


class Stop(Spec):
    signal: Signal | None = None
    """Signal that asks the process to stop. Default SIGTERM."""
    grace: t.Duration | None = None
    """Time between the signal and SIGKILL. Default 30s."""
    drain: t.Duration | None = None
    """How long an instance still serves after it left the endpoints. Default 5s with ports, else 0s."""


class Requirement(Spec):
    """A demand on a node's label: exactly one of in, not_in, exists."""

    key: t.LabelKey
    """Label of the node."""
    in_: Annotated[tuple[t.Word, ...] | None, Field(alias="in", min_length=1)] = None
    """The label has one of these values."""
    not_in: Annotated[tuple[t.Word, ...] | None, Field(min_length=1)] = None
    """The label has none of these values."""
    exists: bool | None = None
    """true: the node has the label; false: it has not."""


class Placement(Spec):
    require: tuple[Requirement, ...] = ()
    """Nodes that may run instances."""
    spread: tuple[t.LabelKey, ...] = ()
    """Labels over whose values instances are spread evenly."""
    max_per_node: Annotated[int, Field(ge=1, le=t.MAX_REPLICAS)] | None = None
    """Most instances on one node."""


class Scale(Spec):
    """Bounds inside which the live count is left alone."""

    min: Annotated[int, Field(ge=0, le=t.MAX_REPLICAS)]
    """Fewest instances."""
    max: Annotated[int, Field(ge=1, le=t.MAX_REPLICAS)]
    """Most instances."""
    cpu: t.Percentage | None = None
    """CPU use that the backend itself aims at, such as 70%."""


def _env_kind(value: Any) -> str:
    return "<secret>" if isinstance(value, dict | Secret) else "<text>"


EnvValue = Annotated[Annotated[t.Word, Tag("<text>")] | Annotated[Secret, Tag("<secret>")], Discriminator(_env_kind)]


class Register(Spec):
    """How a service stands in its context's catalog."""

    name: t.CatalogName | None = None
    """Name that clients ask for; further ports are called NAME-PORT. Default: the service's own."""
    tags: tuple[t.CatalogTag, ...] = ()
    """Tags of every entry."""
    address: Literal["service", "instance"] | None = None
    """Addresses of the service as a whole, or of each instance. Default: as the context says, else service."""
    shared: bool = False
    """true: entries of others under the same name are no conflict. Default false."""


def _register_kind(value: Any) -> str:
    return "<place>" if isinstance(value, dict | Register) else "<flag>"


Registration = Annotated[
    Annotated[bool, Tag("<flag>")] | Annotated[Register, Tag("<place>")], Discriminator(_register_kind)
]


class Service(Spec):
    """A service of orchctl."""

    name: t.Name
    """Name of the service: a-z, 0-9 and -, at most 30 characters. Below services: it is the key."""
    namespace: t.Namespace | None = None
    """Group of services that belong together. Default: the context's."""
    image: t.Image | None = None
    """Container image. Without one, command is a plain process."""
    command: tuple[t.Word, ...] = ()
    """Replaces the image's entrypoint, or is the process to run. $(PORT_HTTP) stands for the port named http."""
    args: tuple[t.Word, ...] = ()
    """Arguments of the command or of the image's entrypoint."""
    working_dir: t.AbsolutePath | None = None
    """Directory the process starts in."""
    user: t.User | None = None
    """User, or user:group, by name or number."""
    labels: dict[t.LabelKey, t.Word] = Field(default_factory=dict)
    """Labels on the service; changing them restarts nothing."""
    replicas: Annotated[int, Field(ge=0, le=t.MAX_REPLICAS)] | None = None
    """Number of instances. Default: the live number stays, 1 at first."""
    scale: Scale | None = None
    """Bounds instead of replicas, where something else decides the number."""
    ports: tuple[Port, ...] = ()
    """Ports the process listens on; the first one is also PORT."""
    env: dict[t.EnvName, EnvValue] = Field(default_factory=dict)
    """Environment variables: texts, or references to secrets."""
    files: dict[t.AbsolutePath, File] = Field(default_factory=dict)
    """Files put into every instance, by absolute path."""
    volumes: dict[t.AbsolutePath, Volume] = Field(default_factory=dict)
    """Storage mounted into every instance, by absolute path."""
    resources: Resources | None = None
    """CPU and memory of one instance."""
    health: Health | None = None
    """Checks of one instance."""
    rollout: Rollout | None = None
    """How a new version replaces the old one."""
    restart: Literal["always", "on-failure", "never"] | None = None
    """When an instance that ended is started again. Default always."""
    stop: Stop | None = None
    """How an instance is stopped."""
    placement: Placement | None = None
    """Which nodes run instances."""
    needs: dict[t.Name, t.Constraint] = Field(default_factory=dict)
    """Services of the same namespace that must run first, with a constraint on what they provide, such as >=2,<3 or *."""
    provides: dict[t.LabelKey, t.Version] = Field(default_factory=dict)
    """Versions of the interfaces that this service offers, for the needs of others."""
    allow: tuple[t.Name, ...] | None = None
    """Services of the same namespace that may call this one through the catalog's mesh, [] = nobody. Default: not managed."""
    register_: Annotated[Registration | None, Field(alias="register")] = None
    """Whether clients find it in the context's catalog: true, false, or how. Default: as the context says."""
    backends: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What only one backend understands, by the backend's name."""
