"""What Marathon can do, feature by feature, and what a spec asks of it that it cannot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from orchctl.core.capability import NATIVE, Claim, Feature, emulated, issues_for, unsupported, warned
from orchctl.core.diff import join
from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Amount, Expose, Probe, ProbeKind, Protocol, Service, Strategy, VolumeKind
from orchctl_marathon.command import file_paths, is_process, shares_host, unknown_ports, unreachable_ports, words_of
from orchctl_marathon.health import is_encoded, liveness_of, readiness_checks, readiness_of
from orchctl_marathon.names import LEDGER, group_id, is_reserved
from orchctl_marathon.options import check_options, options_of
from orchctl_marathon.translate import DEFAULT_MEMORY, is_fixed

LARGEST_FILE = 90 << 10
"""Bytes. A file travels as one variable, in base64, and Linux takes 128 KiB for one."""


_NATIVE = (
    Feature.IMAGE,
    Feature.PROCESS,
    Feature.COMMAND,
    Feature.ARGS,
    Feature.WORKING_DIR,
    Feature.USER,
    Feature.AUTOSCALE,
    Feature.PORT_HOST,
    Feature.PORT_PUBLISHED,
    Feature.PORT_UDP,
    Feature.ENV,
    Feature.VOLUME_TMPFS,
    Feature.VOLUME_HOST,
    Feature.RESOURCES_CPU,
    Feature.RESOURCES_MEMORY,
    Feature.LIMITS_CPU,
    Feature.LIMITS_MEMORY,
    Feature.HEALTH_LIVE,
    Feature.HEALTH_HTTP,
    Feature.HEALTH_TCP,
    Feature.HEALTH_EXEC,
    Feature.ROLLOUT_SURGE,
    Feature.ROLLOUT_UNAVAILABLE,
    Feature.ROLLOUT_BOTH,
    Feature.STOP_SIGNAL,
    Feature.STOP_GRACE,
    Feature.PLACEMENT_IN,
    Feature.PLACEMENT_IN_SEVERAL,
    Feature.PLACEMENT_NOT_IN,
    Feature.PLACEMENT_EXISTS,
    Feature.PLACEMENT_MAX_PER_NODE,
)

_NEEDS_PLUGIN = "needs a secrets plug-in of Marathon, without which the variable would be missing in silence"
_NEEDS_LOAD_BALANCER = (
    "Marathon itself opens ports of the hosts that run an instance only; "
    "with marathon-lb in front set backends.marathon.load_balancer"
)
_ON_AGENTS = (
    "reached through a port of its agent, like every port on Marathon; "
    "with a container network of its own (backends.marathon.network) it stays inside"
)
_SHELL_FILES = "written by a shell before the command starts, as its user: the image must have sh, base64 and chmod"

CLAIMS: Mapping[Feature, Claim] = {
    **dict.fromkeys(_NATIVE, NATIVE),
    Feature.LABELS: warned("changing a label replaces every instance on Marathon"),
    Feature.AUTOSCALE_CPU: warned("Marathon does not follow CPU use; something else must change the count"),
    Feature.PORT_INTERNAL: emulated(_ON_AGENTS),
    Feature.PORT_CLUSTER: unsupported(_NEEDS_LOAD_BALANCER),
    Feature.PORT_EXTERNAL: unsupported(_NEEDS_LOAD_BALANCER),
    Feature.PORT_SCTP: unsupported("Marathon knows tcp and udp only"),
    Feature.ENV_SECRET: unsupported(f"{_NEEDS_PLUGIN}; if there is one set backends.marathon.secrets_plugin"),
    Feature.FILE_CONTENT: emulated(_SHELL_FILES),
    Feature.FILE_SECRET: unsupported("Marathon cannot put a secret into a file; let the program fetch it"),
    Feature.FILE_MODE: emulated("set by chmod before the command starts"),
    Feature.SECRET_STORE: unsupported(f"a secret of the cluster's own store {_NEEDS_PLUGIN}"),
    Feature.SECRET_PROVIDER: unsupported(
        "Marathon has no place for a secret's value: everybody who may read the app could read it"
    ),
    Feature.VOLUME_NAMED: emulated(
        "a volume of the Docker engine on each agent: it stays there when an instance moves"
    ),
    Feature.VOLUME_SIZE: warned("the size of a named volume is not enforced by the Docker engine"),
    Feature.HEALTH_READY: emulated(
        "Marathon has one health check: an instance that becomes unready later is stopped and replaced"
    ),
    Feature.HEALTH_BOTH: warned(
        "ready is asked while a deployment runs and not afterwards; then live alone says whether an instance serves"
    ),
    Feature.HEALTH_GRPC: unsupported("Mesos cannot check gRPC; use tcp or exec"),
    Feature.ROLLOUT_RECREATE: warned(
        "all old instances are told to stop at once, and new ones start as these end: for a moment both may run"
    ),
    Feature.ROLLOUT_PAUSE: emulated(
        "the deployment is cancelled: what runs keeps running, old instances beside new ones, until the next deploy"
    ),
    Feature.ROLLOUT_UNDO: warned(
        "every way back replaces every instance, those that never stopped included, within max_surge and max_unavailable"
    ),
    Feature.RESTART_ON_FAILURE: unsupported("Marathon starts an instance again whatever its end"),
    Feature.RESTART_NEVER: unsupported("Marathon starts an instance again whatever its end"),
    Feature.STOP_DRAIN: warned(
        "Marathon stops an instance while clients may still hold its address: the program itself should serve on for "
        "a while after its stop signal, or a load balancer in front must drain it"
    ),
    Feature.PLACEMENT_SPREAD: warned(
        "without the number of values Marathon spreads as agents happen to offer; set backends.marathon.groups"
    ),
    Feature.LOGS: emulated("read from the Mesos agents: the context needs the address of Mesos"),
    Feature.LOGS_FOLLOW: emulated("the agents are asked again and again"),
}


def issues(service: Service) -> list[Issue]:
    """Everything about ``service`` that Marathon does otherwise or not at all."""
    refused = list(check_options(service))
    if refused:
        return refused
    found = [i for i in issues_for(service, CLAIMS) if not _is_met(service, i)]
    for part in (_names, _command, _files, _resources, _ports, _health, _rollout, _stop, _volumes):
        found += part(service)
    return found


def _is_met(service: Service, issue: Issue) -> bool:
    """Asked for, and there all the same by an option of ours."""
    options = options_of(service)
    if issue.message == _ON_AGENTS:
        return options.network not in ("", "host", "bridge")
    if issue.message == _NEEDS_LOAD_BALANCER:
        return bool(options.load_balancer)
    if issue.message in (CLAIMS[Feature.ENV_SECRET].reason, CLAIMS[Feature.SECRET_STORE].reason):
        return options.secrets_plugin
    if issue.path == "placement.spread":
        return all(key in options.groups for key in service.placement.spread)
    return issue.path == "health" and readiness_of(service) is None


def _reject(path: str, message: str) -> Issue:
    return Issue(path=path, policy=Policy.REJECT, message=message)


def _warn(path: str, message: str) -> Issue:
    return Issue(path=path, policy=Policy.WARN, message=message)


def _names(service: Service) -> Iterator[Issue]:
    if group_id(service.namespace) == LEDGER:
        yield _reject("namespace", f"orchctl keeps its records in the group {LEDGER}; use another namespace")
    for label in service.labels:
        if is_reserved(label):
            yield _reject(join("labels", label), "this label is written by orchctl itself")


def _command(service: Service) -> Iterator[Issue]:
    if is_process(service):
        if not words_of(service):
            yield _reject("command", "a process needs a command; without an image there is nothing else to run")
        yield from _account(service)
    elif options_of(service).containerizer == "mesos":
        if service.working_dir and not service.command:
            yield _reject("working_dir", "Mesos' own containers take it with a command only; name the command")
        yield from _account(service)
    for word in unknown_ports(service):
        yield _reject(
            "args" if word in service.args else "command",
            f"{word!r} names a port that only the agent knows: use network bridge, or let the program read the variable",
        )


def _account(service: Service) -> Iterator[Issue]:
    name, _, group = service.user.partition(":")
    if name.isdecimal() or group:
        yield _reject("user", "Mesos takes the name of an account on the agents: no number, and no group")


def _files(service: Service) -> Iterator[Issue]:
    for path in file_paths(service):
        size = len(service.files[path].content or b"")
        if size > LARGEST_FILE:
            yield _reject(join("files", path), f"{size} bytes; a file on Marathon holds at most {LARGEST_FILE}")
        if not is_process(service) and not service.command:
            yield _reject(join("files", path), "it is written before the command starts; name the command")
        if is_process(service):
            yield _warn(
                join("files", path),
                "the file is put below the directory $ORCHCTL_FILES of each process, not at this path of the host",
            )


def _resources(service: Service) -> Iterator[Issue]:
    r = service.resources
    pairs = (("memory", r.memory_bytes, r.memory_limit_bytes), ("cpu", r.cpu_millis, r.cpu_limit_millis))
    for word, reserved, limit in pairs:
        if reserved is not None and limit is not None and limit < reserved:
            yield _reject(f"resources.limits.{word}", f"less than what resources.{word} reserves")
    if r.memory_bytes is None and r.memory_limit_bytes is None:
        yield _warn("resources.memory", f"not stated: an instance gets {DEFAULT_MEMORY}Mi and is stopped above that")
    elif r.memory_limit_bytes is None:
        yield _warn("resources.memory", "the limit too, as none is stated: on Marathon an instance is stopped above it")
    if options_of(service).gpus and not is_process(service) and options_of(service).containerizer == "docker":
        yield _reject("backends.marathon.gpus", "Marathon gives GPUs to Mesos' own containers only, not to Docker's")


def _ports(service: Service) -> Iterator[Issue]:
    fixed = [p for p in service.ports if is_fixed(p)]
    for port in service.ports:
        path = f"{join('ports', port.name)}.published"
        if port.expose is Expose.INTERNAL and port.published is not None:
            yield _reject(path, "an internal port is not published; set expose to host")
        if port in fixed and service.rollout.strategy is Strategy.ROLLING and not _starts_first(service):
            yield _warn(
                path,
                "going back from a stuck rollout may stop instances that serve beyond max_unavailable: Marathon chooses "
                "which go, and one more instance may find no host with this port free",
            )
        if port in fixed and _starts_first(service):
            yield _reject(
                path,
                "old and new instance would need the same port of a host at the same time: set rollout.max_surge to 0 "
                "and max_unavailable to 1, or leave published out",
            )
    if shares_host(service):
        yield from _ports_of_the_host(service)


def _ports_of_the_host(service: Service) -> Iterator[Issue]:
    """Marathon takes all numbers of an app for numbers of the host, or none: to the port that has none it gives a service
    port, and then waits for a host with that one free, which agents do not offer."""
    fixed = [p for p in service.ports if is_fixed(p)]
    names = defaultdict(list)
    for port in service.ports:
        path = f"{join('ports', port.name)}.published"
        if fixed and port not in fixed:
            yield _reject(
                path,
                f"{fixed[0].name} has a fixed number of the host, so that every port of the same instance needs one: "
                "set it here with expose: host, or leave it out there",
            )
        elif port in fixed:
            names[port.published].append(port.name)
    for number, same in names.items():
        for name in same[1:]:
            text = f"{number} is that of {same[0]}: Marathon takes a number of the host once, whatever the protocol"
            yield _reject(f"{join('ports', name)}.published", text)
    for name in unreachable_ports(service):
        yield _reject(
            f"{join('ports', name)}.name",
            f"Marathon calls its variable PORT_{name.upper()}, which no shell can read: use network bridge, or a name "
            "without a hyphen",
        )


def _health(service: Service) -> Iterator[Issue]:
    health = service.health
    if health.ready and health.live and health.ready != health.live and readiness_of(service) is None:
        yield _warn("health", "readiness over HTTP only is known to Marathon beside live: ready is used, live is not")
    for word, probe in (("ready", health.ready), ("live", health.live)):
        if probe is None or (probe != liveness_of(service) and probe != readiness_of(service)):
            continue
        yield from _probe(service, f"health.{word}", probe)


def _probe(service: Service, path: str, probe: Probe) -> Iterator[Issue]:
    over_tcp = probe.kind in (ProbeKind.HTTP, ProbeKind.TCP)
    if over_tcp and service.port(probe.port).protocol is not Protocol.TCP:
        yield _reject(path, f"port {probe.port} is not TCP")
    if is_encoded(service, probe):
        message = "sent in base64, since agents read quotes and $ differently: the image must have sh and base64"
        yield Issue(path=path, policy=Policy.EMULATE, message=message)
    if any(ms % 1_000 for ms in (probe.interval_ms, probe.timeout_ms)):
        message = "Mesos counts in whole seconds: interval and timeout are rounded up"
        yield Issue(path=path, policy=Policy.EMULATE, message=message)
    elif probe == readiness_of(service):
        yield from _readiness(path, probe, readiness_checks(service)[0])


def _readiness(path: str, probe: Probe, sent: Mapping[str, Any]) -> Iterator[Issue]:
    """Its time-out is below its interval, which is 2 s or more."""
    interval, timeout = sent["intervalSeconds"], sent["timeoutSeconds"]
    if (interval * 1_000, timeout * 1_000) != (probe.interval_ms, probe.timeout_ms):
        message = f"a readiness check of Marathon: every {interval} s, given up after {timeout} s"
        yield Issue(path=path, policy=Policy.EMULATE, message=message)


def _rollout(service: Service) -> Iterator[Issue]:
    rollout = service.rollout
    if rollout.strategy is Strategy.RECREATE:
        return
    if not _starts_first(service) and rollout.max_unavailable.value == 0:
        yield _reject("rollout", "max_surge and max_unavailable are both 0: nothing could ever be replaced")
    if not rollout.max_surge.percent and rollout.max_surge.value > (service.replicas or rollout.max_surge.value):
        yield _warn("rollout.max_surge", "Marathon starts at most as many new instances as there are old ones")


def _starts_first(service: Service) -> bool:
    return service.rollout.strategy is Strategy.ROLLING and service.rollout.max_surge != Amount(0)


def _stop(service: Service) -> Iterator[Issue]:
    by_mesos = is_process(service) or options_of(service).containerizer == "mesos"
    if by_mesos and service.stop.signal != "SIGTERM":
        yield _warn("stop.signal", "Mesos stops its own processes by SIGTERM, whatever is asked")


def _volumes(service: Service) -> Iterator[Issue]:
    for target, volume in service.volumes.items():
        path = join("volumes", target)
        if is_process(service):
            yield _reject(path, "a process has no mounts; let it use a path of the host directly")
        elif options_of(service).containerizer == "mesos" and volume.kind is not VolumeKind.HOST:
            yield _reject(path, "Mesos' own containers mount host paths only; use the docker containerizer")
