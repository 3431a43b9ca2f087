"""What a backend can do, as data with reasons.

Every adapter answers every Feature (the map is total: a new Feature breaks each adapter's contract
test at once). Every answer but NATIVE carries the sentence that the user reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchctl.core.diff import join
from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Expose, Operator, Probe, Protocol, Restart, SecretRef, Service, Strategy, VolumeKind
from orchctl.errors import UnsupportedFeature


class Feature(StrEnum):
    """A thing that a spec can ask for."""

    IMAGE = "image"
    """Instances run a container image."""
    PROCESS = "process"
    """Instances are plain processes: no image."""
    COMMAND = "command"
    """Replace the image's entrypoint, or name the process to run."""
    ARGS = "args"
    WORKING_DIR = "working_dir"
    USER = "user"
    LABELS = "labels"
    """Labels on the service; changing them restarts nothing."""
    AUTOSCALE = "scale"
    """Bounds inside which the live count is left alone."""
    AUTOSCALE_CPU = "scale.cpu"
    """The backend itself follows CPU use."""
    PORT_INTERNAL = "ports.internal"
    PORT_HOST = "ports.host"
    PORT_CLUSTER = "ports.cluster"
    PORT_EXTERNAL = "ports.external"
    PORT_PUBLISHED = "ports.published"
    """A fixed number outside the instance."""
    PORT_UDP = "ports.udp"
    PORT_SCTP = "ports.sctp"
    ENV = "env"
    ENV_SECRET = "env.secret"
    """An environment variable from a secret."""
    FILE_CONTENT = "files.content"
    FILE_SECRET = "files.secret"
    FILE_MODE = "files.mode"
    """Another file mode than 0444."""
    SECRET_STORE = "secrets.store"
    """Secrets that already are in the backend's own store."""
    SECRET_PROVIDER = "secrets.provider"
    """Secrets whose value orchctl fetches at deploy time (env:, file:, exec:)."""
    VOLUME_NAMED = "volumes.named"
    VOLUME_SIZE = "volumes.size"
    """A named volume's size is enforced."""
    VOLUME_TMPFS = "volumes.tmpfs"
    VOLUME_HOST = "volumes.host"
    RESOURCES_CPU = "resources.cpu"
    RESOURCES_MEMORY = "resources.memory"
    LIMITS_CPU = "resources.limits.cpu"
    LIMITS_MEMORY = "resources.limits.memory"
    HEALTH_READY = "health.ready"
    """Decides whether an instance receives traffic."""
    HEALTH_LIVE = "health.live"
    """Decides whether an instance is restarted."""
    HEALTH_BOTH = "health.ready+live"
    """Two different checks for readiness and liveness."""
    HEALTH_HTTP = "health.http"
    HEALTH_TCP = "health.tcp"
    HEALTH_EXEC = "health.exec"
    HEALTH_GRPC = "health.grpc"
    ROLLOUT_SURGE = "rollout.max_surge"
    ROLLOUT_UNAVAILABLE = "rollout.max_unavailable"
    ROLLOUT_BOTH = "rollout.max_surge+max_unavailable"
    """Surge and unavailability in the same rollout."""
    ROLLOUT_RECREATE = "rollout.recreate"
    """Stop everything old before anything new starts."""
    ROLLOUT_PAUSE = "rollout.pause"
    """A running rollout can be stopped where it is."""
    ROLLOUT_UNDO = "rollout.undo"
    """Going back from an unfinished rollout leaves the old instances that still run."""
    RESTART_ON_FAILURE = "restart.on-failure"
    RESTART_NEVER = "restart.never"
    STOP_SIGNAL = "stop.signal"
    STOP_GRACE = "stop.grace"
    STOP_DRAIN = "stop.drain"
    """Keep serving after leaving the endpoints."""
    PLACEMENT_IN = "placement.in"
    PLACEMENT_IN_SEVERAL = "placement.in.several"
    """One of several values of a node label."""
    PLACEMENT_NOT_IN = "placement.not_in"
    PLACEMENT_EXISTS = "placement.exists"
    """A node label is present, or absent, whatever its value."""
    PLACEMENT_SPREAD = "placement.spread"
    PLACEMENT_MAX_PER_NODE = "placement.max_per_node"
    LOGS = "logs"
    LOGS_FOLLOW = "logs.follow"


class Support(StrEnum):
    NATIVE = "native"
    EMULATED = "emulated"
    """Sent differently with the same meaning."""
    WARNED = "warned"
    """Approximated or not enforced; the user is told, --strict refuses."""
    NOT_YET = "not_yet"
    """The backend could, this adapter cannot so far."""
    UNSUPPORTED = "unsupported"
    """The backend cannot."""


@dataclass(frozen=True, slots=True)
class Claim:
    """``reason`` is what the user reads; required for everything but NATIVE."""

    support: Support
    reason: str = ""


NATIVE = Claim(Support.NATIVE)


def unsupported(reason: str) -> Claim:
    return Claim(Support.UNSUPPORTED, reason)


def warned(reason: str) -> Claim:
    return Claim(Support.WARNED, reason)


def emulated(reason: str) -> Claim:
    return Claim(Support.EMULATED, reason)


_POLICY = {
    Support.EMULATED: Policy.EMULATE,
    Support.WARNED: Policy.WARN,
    Support.NOT_YET: Policy.REJECT,
    Support.UNSUPPORTED: Policy.REJECT,
}


def issues_for(service: Service, claims: Mapping[Feature, Claim]) -> list[Issue]:
    """One Issue for every feature that ``service`` uses and the backend does not do natively."""
    issues: list[Issue] = []
    for feature, path in used_features(service):
        claim = claims[feature]
        if claim.support is not Support.NATIVE:
            issue = Issue(path=path, policy=_POLICY[claim.support], message=claim.reason)
            if issue not in issues:
                issues.append(issue)
    return issues


def refuse(service: Service, backend: str, issues: Iterable[Issue], *, strict: bool = False) -> None:
    """UnsupportedFeature with everything among ``issues`` that a backend cannot do at all; ``strict``: with all of them."""
    refused = [(i.path, i.message) for i in issues if i.policy is Policy.REJECT or strict]
    if refused:
        raise UnsupportedFeature(service.name, backend, refused)


def used_features(service: Service) -> Iterator[tuple[Feature, str]]:
    """Every (feature, path in the spec) that ``service`` asks for."""
    for part in _PARTS:
        yield from part(service)


Found = Iterator[tuple[Feature, str]]


def _process(s: Service) -> Found:
    yield (Feature.IMAGE, "image") if s.image else (Feature.PROCESS, "image")
    for feature, path, value in (
        (Feature.COMMAND, "command", s.command),
        (Feature.ARGS, "args", s.args),
        (Feature.WORKING_DIR, "working_dir", s.working_dir),
        (Feature.USER, "user", s.user),
        (Feature.LABELS, "labels", s.labels),
    ):
        if value:
            yield feature, path
    if s.restart is not Restart.ALWAYS:
        yield (Feature.RESTART_NEVER if s.restart is Restart.NEVER else Feature.RESTART_ON_FAILURE), "restart"


def _scaling(s: Service) -> Found:
    if s.scaling:
        yield Feature.AUTOSCALE, "scale"
        if s.scaling.cpu_percent is not None:
            yield Feature.AUTOSCALE_CPU, "scale.cpu"


_EXPOSE = {
    Expose.INTERNAL: Feature.PORT_INTERNAL,
    Expose.HOST: Feature.PORT_HOST,
    Expose.CLUSTER: Feature.PORT_CLUSTER,
    Expose.EXTERNAL: Feature.PORT_EXTERNAL,
}


def _ports(s: Service) -> Found:
    for port in s.ports:
        path = join("ports", port.name)
        yield _EXPOSE[port.expose], f"{path}.expose"
        if port.published is not None:
            yield Feature.PORT_PUBLISHED, f"{path}.published"
        if port.protocol is Protocol.UDP:
            yield Feature.PORT_UDP, f"{path}.protocol"
        if port.protocol is Protocol.SCTP:
            yield Feature.PORT_SCTP, f"{path}.protocol"


def _secret(ref: SecretRef, path: str) -> Found:
    yield (Feature.SECRET_PROVIDER if ref.source else Feature.SECRET_STORE), path


def _env_and_files(s: Service) -> Found:
    for name, value in s.env.items():
        path = join("env", name)
        yield Feature.ENV, path
        if isinstance(value, SecretRef):
            yield Feature.ENV_SECRET, path
            yield from _secret(value, path)
    for target, file in s.files.items():
        path = join("files", target)
        if file.secret:
            yield Feature.FILE_SECRET, path
            yield from _secret(file.secret, path)
        else:
            yield Feature.FILE_CONTENT, path
        if file.mode != "0444":
            yield Feature.FILE_MODE, f"{path}.mode"


_VOLUME = {
    VolumeKind.NAMED: Feature.VOLUME_NAMED,
    VolumeKind.TMPFS: Feature.VOLUME_TMPFS,
    VolumeKind.HOST: Feature.VOLUME_HOST,
}


def _volumes(s: Service) -> Found:
    for target, volume in s.volumes.items():
        yield _VOLUME[volume.kind], join("volumes", target)
        if volume.kind is VolumeKind.NAMED and volume.size_bytes:
            yield Feature.VOLUME_SIZE, f"{join('volumes', target)}.size"


def _resources(s: Service) -> Found:
    r = s.resources
    for feature, path, value in (
        (Feature.RESOURCES_CPU, "resources.cpu", r.cpu_millis),
        (Feature.RESOURCES_MEMORY, "resources.memory", r.memory_bytes),
        (Feature.LIMITS_CPU, "resources.limits.cpu", r.cpu_limit_millis),
        (Feature.LIMITS_MEMORY, "resources.limits.memory", r.memory_limit_bytes),
    ):
        if value is not None:
            yield feature, path


def _probe(probe: Probe | None, feature: Feature, path: str) -> Found:
    if probe:
        yield feature, path
        yield Feature(f"health.{probe.kind.value}"), f"{path}.{probe.kind.value}"


def _health(s: Service) -> Found:
    yield from _probe(s.health.ready, Feature.HEALTH_READY, "health.ready")
    yield from _probe(s.health.live, Feature.HEALTH_LIVE, "health.live")
    if s.health.ready and s.health.live and s.health.ready != s.health.live:
        yield Feature.HEALTH_BOTH, "health"


def _rollout(s: Service) -> Found:
    if s.rollout.strategy is Strategy.RECREATE:
        yield Feature.ROLLOUT_RECREATE, "rollout.strategy"
        return
    surge, unavailable = s.rollout.max_surge.value, s.rollout.max_unavailable.value
    if surge:
        yield Feature.ROLLOUT_SURGE, "rollout.max_surge"
    if unavailable:
        yield Feature.ROLLOUT_UNAVAILABLE, "rollout.max_unavailable"
    if surge and unavailable:
        yield Feature.ROLLOUT_BOTH, "rollout"


def _stop(s: Service) -> Found:
    if s.stop.signal != "SIGTERM":
        yield Feature.STOP_SIGNAL, "stop.signal"
    yield Feature.STOP_GRACE, "stop.grace"
    if s.stop.drain_ms:
        yield Feature.STOP_DRAIN, "stop.drain"


def _placement(s: Service) -> Found:
    for requirement in s.placement.require:
        path = join("placement.require", requirement.key)
        if requirement.op is Operator.IN:
            yield Feature.PLACEMENT_IN, path
            if len(requirement.values) > 1:
                yield Feature.PLACEMENT_IN_SEVERAL, path
        elif requirement.op is Operator.NOT_IN:
            yield Feature.PLACEMENT_NOT_IN, path
        else:
            yield Feature.PLACEMENT_EXISTS, path
    if s.placement.spread:
        yield Feature.PLACEMENT_SPREAD, "placement.spread"
    if s.placement.max_per_node is not None:
        yield Feature.PLACEMENT_MAX_PER_NODE, "placement.max_per_node"


_PARTS: tuple[Callable[[Service], Found], ...] = (
    _process,
    _scaling,
    _ports,
    _env_and_files,
    _volumes,
    _resources,
    _health,
    _rollout,
    _stop,
    _placement,
)
