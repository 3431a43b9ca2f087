"""What Swarm can do, feature by feature, and what a spec asks of it that it cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from orchctl.core.capability import NATIVE, Claim, Feature, emulated, issues_for, unsupported, warned
from orchctl.core.diff import join
from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Expose, ProbeKind, Protocol, Service
from orchctl_swarm.container import probe_of
from orchctl_swarm.names import digests_of, is_reserved
from orchctl_swarm.options import check_options, options_of
from orchctl_swarm.translate import endpoint_spec, node_label, starts_first

LEAST_MEMORY = 4 * 2**20
ENGINE_DRAIN_MS = 2_000  # the engine waits so long between unlisting a task and its stop signal
LARGEST_CONFIG = 1_024_000  # bytes; the engine refuses this many and more
_CONSTRAINT_KEY = re.compile(r"(?i)[a-z_][a-z0-9\-_.]+")
_CONSTRAINT_VALUE = re.compile(r"(?i)[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+")


_NATIVE = (
    Feature.IMAGE,
    Feature.COMMAND,
    Feature.ARGS,
    Feature.WORKING_DIR,
    Feature.USER,
    Feature.LABELS,
    Feature.AUTOSCALE,
    Feature.PORT_INTERNAL,
    Feature.PORT_HOST,
    Feature.PORT_CLUSTER,
    Feature.PORT_PUBLISHED,
    Feature.PORT_UDP,
    Feature.PORT_SCTP,
    Feature.ENV,
    Feature.FILE_CONTENT,
    Feature.FILE_SECRET,
    Feature.FILE_MODE,
    Feature.SECRET_STORE,
    Feature.SECRET_PROVIDER,
    Feature.VOLUME_NAMED,
    Feature.VOLUME_TMPFS,
    Feature.VOLUME_HOST,
    Feature.RESOURCES_CPU,
    Feature.RESOURCES_MEMORY,
    Feature.LIMITS_CPU,
    Feature.LIMITS_MEMORY,
    Feature.HEALTH_LIVE,
    Feature.HEALTH_EXEC,
    Feature.ROLLOUT_SURGE,
    Feature.ROLLOUT_UNAVAILABLE,
    Feature.ROLLOUT_UNDO,
    Feature.RESTART_ON_FAILURE,
    Feature.RESTART_NEVER,
    Feature.STOP_SIGNAL,
    Feature.STOP_GRACE,
    Feature.PLACEMENT_IN,
    Feature.PLACEMENT_NOT_IN,
    Feature.PLACEMENT_SPREAD,
    Feature.PLACEMENT_MAX_PER_NODE,
    Feature.LOGS,
    Feature.LOGS_FOLLOW,
)

CLAIMS: Mapping[Feature, Claim] = {
    **dict.fromkeys(_NATIVE, NATIVE),
    Feature.PROCESS: unsupported("Swarm runs container images only; set image"),
    Feature.AUTOSCALE_CPU: warned("Swarm does not follow CPU use; something else must change the count"),
    Feature.PORT_EXTERNAL: emulated(
        "published on every node through the ingress network; the load balancer in front of the nodes is yours"
    ),
    Feature.ENV_SECRET: unsupported(
        "Swarm gives secrets to containers as files only; put it under files and let the program read that"
    ),
    Feature.VOLUME_SIZE: warned("the size of a named volume is not enforced by Swarm"),
    Feature.HEALTH_READY: emulated(
        "Swarm has one health check: an instance that becomes unready later is stopped and replaced"
    ),
    Feature.HEALTH_BOTH: warned(
        "Swarm has one health check: ready is used, live is not; an instance that is unready is replaced"
    ),
    Feature.HEALTH_HTTP: emulated(
        "checked inside the container with wget or curl, one of which the image must have; "
        "backends.swarm.health_command replaces the command"
    ),
    Feature.HEALTH_TCP: emulated(
        "checked inside the container with nc, which the image must have; "
        "backends.swarm.health_command replaces the command"
    ),
    Feature.HEALTH_GRPC: unsupported("Swarm cannot check gRPC; set backends.swarm.health_command"),
    Feature.ROLLOUT_BOTH: warned(
        "Swarm starts the new task first or stops the old one first, not both: max_surge is used, "
        "max_unavailable is not"
    ),
    Feature.ROLLOUT_RECREATE: warned(
        "all replicas are replaced at the same time, each stopped before its own successor starts; "
        "a slow stop of one does not hold back the others"
    ),
    Feature.ROLLOUT_PAUSE: emulated(
        "no further replica is begun, but Swarm may finish those under way, new before old"
    ),
    Feature.STOP_DRAIN: warned("Swarm stops an instance 2s after taking it out of discovery, whatever stop.drain says"),
    Feature.PLACEMENT_IN_SEVERAL: unsupported("a Swarm constraint compares with one value; label the nodes for it"),
    Feature.PLACEMENT_EXISTS: unsupported("a Swarm constraint compares values; require a value of the label"),
}


def issues(service: Service) -> list[Issue]:
    """Everything about ``service`` that Swarm does otherwise or not at all."""
    refused = list(check_options(service))
    if refused:
        return refused
    found = [i for i in issues_for(service, CLAIMS) if not _is_met(service, i)]
    for part in (_labels, _files, _resources, _ports, _rollout, _placement, _secrets):
        found += part(service)
    return found


def _is_met(service: Service, issue: Issue) -> bool:
    """Asked for, and there all the same."""
    if issue.path == "stop.drain":
        return service.stop.drain_ms <= ENGINE_DRAIN_MS
    return _replaced_by_health_command(service, issue)


def _replaced_by_health_command(service: Service, issue: Issue) -> bool:
    kinds = tuple(f".{k.value}" for k in ProbeKind)
    return bool(options_of(service).health_command) and issue.path.startswith("health.") and issue.path.endswith(kinds)


def _reject(path: str, message: str) -> Issue:
    return Issue(path=path, policy=Policy.REJECT, message=message)


def _labels(service: Service) -> Iterator[Issue]:
    for label in service.labels:
        if is_reserved(label):
            yield _reject(join("labels", label), "this label is written by orchctl or by the engine itself")


def _files(service: Service) -> Iterator[Issue]:
    for path in digests_of(service):
        size = len(service.files[path].content or b"")
        if size == 0:
            yield _reject(join("files", path), "Swarm does not take an empty file; write at least one byte")
        if size >= LARGEST_CONFIG:
            yield _reject(join("files", path), f"{size} bytes; a Swarm config holds less than {LARGEST_CONFIG}")


def _secrets(service: Service) -> Iterator[Issue]:
    for path, file in service.files.items():
        if file.secret and file.secret.key and not file.secret.source:
            name = f"{file.secret.name}.{file.secret.key}"
            message = f"Swarm secrets have no keys; the secret called {name} is used"
            yield Issue(path=join("files", path), policy=Policy.EMULATE, message=message)


def _resources(service: Service) -> Iterator[Issue]:
    r = service.resources
    for path, size in (("resources.memory", r.memory_bytes), ("resources.limits.memory", r.memory_limit_bytes)):
        if size is not None and size < LEAST_MEMORY:
            yield _reject(path, "Swarm needs at least 4Mi")
    pairs = (("memory", r.memory_bytes, r.memory_limit_bytes), ("cpu", r.cpu_millis, r.cpu_limit_millis))
    for word, reserved, limit in pairs:
        if reserved is not None and limit is not None and limit < reserved:
            yield _reject(f"resources.limits.{word}", f"less than what resources.{word} reserves")


def _ports(service: Service) -> Iterator[Issue]:
    for port in service.ports:
        path = join("ports", port.name)
        if port.expose is Expose.INTERNAL and port.published is not None:
            yield _reject(f"{path}.published", "an internal port is not published; set expose to host or cluster")
        fixed = port.expose is Expose.HOST and port.published is not None
        if fixed and starts_first(service):
            yield _reject(
                f"{path}.published",
                "old and new instance would need the same port of the node at the same time, and the rollout would "
                "wait for ever: set rollout.max_surge to 0 and max_unavailable to 1, or leave published out",
            )
    spec = endpoint_spec(service)
    if spec["Mode"] == "dnsrr" and any(p["PublishMode"] == "ingress" for p in spec.get("Ports", ())):
        yield _reject("backends.swarm.endpoint_mode", "dnsrr cannot publish ports on the cluster; use vip")


def _rollout(service: Service) -> Iterator[Issue]:
    rollout = service.rollout
    if not starts_first(service) and rollout.strategy == "rolling" and rollout.max_unavailable.value == 0:
        yield _reject("rollout", "max_surge and max_unavailable are both 0: nothing could ever be replaced")
    probe = probe_of(service)
    over_tcp = probe is not None and probe.kind in (ProbeKind.HTTP, ProbeKind.TCP)
    if probe and over_tcp and service.port(probe.port).protocol is not Protocol.TCP:
        yield _reject("health", f"port {probe.port} is not TCP")


def _placement(service: Service) -> Iterator[Issue]:
    if service.placement.max_per_node and starts_first(service):
        yield Issue(
            path="placement.max_per_node",
            policy=Policy.WARN,
            message="old instances count until they have ended, so an update needs a node with room for one more: where "
            "every node has its number, set rollout.max_surge to 0 and max_unavailable to 1",
        )
    for requirement in service.placement.require:
        path = join("placement.require", requirement.key)
        if not _CONSTRAINT_KEY.fullmatch(node_label(requirement.key)):
            yield _reject(path, "Swarm does not take this key: letters, digits, '-', '_' and '.' only")
        for value in requirement.values:
            if not _CONSTRAINT_VALUE.fullmatch(value):
                yield _reject(path, f"Swarm does not take the value {value!r} in a constraint")
