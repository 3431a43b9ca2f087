"""What Kubernetes can do, feature by feature, and what a spec asks of it that it cannot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from orchctl.core.capability import NATIVE, Claim, Feature, Support, issues_for
from orchctl.core.diff import join
from orchctl.core.environment import expand
from orchctl.core.plan import Issue, Policy
from orchctl.core.service import (
    Amount,
    Expose,
    Port,
    Probe,
    ProbeKind,
    Protocol,
    SecretRef,
    Service,
    Strategy,
    VolumeKind,
)
from orchctl.core.units import format_duration
from orchctl_kubernetes.names import digests_of, is_reserved
from orchctl_kubernetes.options import check_options, options_of
from orchctl_kubernetes.pod import NUMERIC_USER, whole_seconds
from orchctl_kubernetes.translate import LEAST_CLAIM, intent, is_label_value

LARGEST_FILES = 1 << 20  # bytes; what one ConfigMap may hold (kubernetes.io, concepts/configuration/configmap)
LARGEST_INTENT = 200_000  # bytes; all annotations of an object together may have 256 KiB
NODE_PORTS = range(30_000, 32_768)  # of an API server that was not told otherwise
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_ENTRY = re.compile(r"[-._a-zA-Z0-9]{1,253}")

_OTHERWISE = {
    Feature.PROCESS: Claim(Support.UNSUPPORTED, "Kubernetes runs container images only; set image"),
    Feature.RESTART_ON_FAILURE: Claim(
        Support.UNSUPPORTED, "a Deployment starts every process again that ends; only a job may end"
    ),
    Feature.RESTART_NEVER: Claim(
        Support.UNSUPPORTED, "a Deployment starts every process again that ends; only a job may end"
    ),
    Feature.STOP_SIGNAL: Claim(
        Support.WARNED, "Kubernetes sends the signal that the image names (STOPSIGNAL), else SIGTERM"
    ),
}

CLAIMS: Mapping[Feature, Claim] = {feature: _OTHERWISE.get(feature, NATIVE) for feature in Feature}


def issues(service: Service) -> list[Issue]:
    """Everything about ``service`` that Kubernetes does otherwise or not at all."""
    if refused := list(check_options(service)):
        return refused
    found = issues_for(service, CLAIMS)
    for part in _PARTS:
        found += part(service)
    return found


def _reject(path: str, message: str) -> Issue:
    return Issue(path=path, policy=Policy.REJECT, message=message)


def _emulate(path: str, message: str) -> Issue:
    return Issue(path=path, policy=Policy.EMULATE, message=message)


def _warn(path: str, message: str) -> Issue:
    return Issue(path=path, policy=Policy.WARN, message=message)


def _labels(service: Service) -> Iterator[Issue]:
    for label, value in service.labels.items():
        path = join("labels", label)
        if is_reserved(label):
            yield _reject(path, "this label is written by orchctl or by Kubernetes itself")
        elif not _LABEL_KEY.fullmatch(label):
            yield _reject(path, "Kubernetes does not take this name: letters, digits, - _ . and one / after a domain")
        elif not is_label_value(value):
            yield _emulate(
                path, "no value for a label of Kubernetes (63 of letters, digits, - _ .): kept as annotation"
            )


def _user(service: Service) -> Iterator[Issue]:
    if service.user and not NUMERIC_USER.fullmatch(service.user):
        yield _reject("user", 'Kubernetes wants numbers: write "1000:1000", not a name')


def _files(service: Service) -> Iterator[Issue]:
    size = sum(len(service.files[path].content or b"") for path in digests_of(service))
    if size > LARGEST_FILES:
        yield _reject("files", f"{size} bytes in all; Kubernetes takes {LARGEST_FILES} in the files of a service")
    match = NUMERIC_USER.fullmatch(service.user)
    grouped = "fsGroup" in options_of(service).pod_security_context
    for path, file in service.files.items():
        if match and int(match[1]) and not grouped and not int(file.mode, 8) & 0o004:
            yield _warn(
                f"{join('files', path)}.mode",
                f"files belong to root there, so that user {match[1]} cannot read mode {file.mode}: let others read it, "
                "or set backends.kubernetes.pod_security_context.fsGroup",
            )


def _secrets(service: Service) -> Iterator[Issue]:
    refs = [(join("env", name), v) for name, v in service.env.items() if isinstance(v, SecretRef)]
    refs += [(join("files", path), f.secret) for path, f in service.files.items() if f.secret]
    for path, ref in refs:
        if ref.source:
            continue
        if not _OBJECT.fullmatch(ref.name):
            yield _reject(path, f"{ref.name!r} is no name of a Kubernetes Secret: lower case letters, digits, - and .")
        elif not _ENTRY.fullmatch(ref.key or ref.name):
            yield _reject(path, f"{ref.key!r} is no key of a Kubernetes Secret: letters, digits, - _ and .")


def _ports(service: Service) -> Iterator[Issue]:
    for port in service.ports:
        path = join("ports", port.name)
        if port.expose is Expose.INTERNAL and port.published is not None:
            yield _reject(f"{path}.published", "an internal port is not published; set expose to host or cluster")
        if port.expose is Expose.HOST and port.published is None:
            yield _emulate(
                f"{path}.expose", "Kubernetes picks no free port of the node: reached at the address of the pod itself"
            )
        if port.expose is Expose.HOST and port.published is not None and _starts_first(service):
            yield _reject(
                f"{path}.published",
                "old and new instance would need the same port of the node at the same time, and the rollout would "
                "wait for ever: set rollout.max_surge to 0 and max_unavailable to 1, or leave published out",
            )
        if port.expose is Expose.CLUSTER and port.published is not None and port.published not in NODE_PORTS:
            yield _warn(
                f"{path}.published",
                f"the API server takes {NODE_PORTS.start} to {NODE_PORTS.stop - 1} unless it was told otherwise",
            )
    yield from _twice(service.ports)


def _twice(ports: tuple[Port, ...]) -> Iterator[Issue]:
    """A Service has each number once for each protocol, and the nodes have each port once."""
    nodes = Counter((p.published or 0, p.protocol) for p in ports if p.expose is Expose.CLUSTER and p.published)
    inside = Counter((p.port, p.protocol) for p in ports)
    outside = Counter((p.published or p.port, p.protocol) for p in ports if p.expose is Expose.EXTERNAL)
    for port in ports:
        if inside[port.port, port.protocol] > 1:
            yield _reject(f"{join('ports', port.name)}.port", "another port has this number and protocol")
        elif port.expose is Expose.CLUSTER and nodes[port.published or 0, port.protocol] > 1:
            yield _reject(
                f"{join('ports', port.name)}.published", "another port has this number and protocol on the nodes"
            )
        elif port.expose is Expose.EXTERNAL and outside[port.published or port.port, port.protocol] > 1:
            yield _reject(f"{join('ports', port.name)}.published", "another port has this number and protocol outside")


def _volumes(service: Service) -> Iterator[Issue]:
    options, count = options_of(service), 1 if service.replicas is None else service.replicas
    for target, volume in service.volumes.items():
        path = join("volumes", target)
        if volume.kind is not VolumeKind.NAMED:
            continue
        if not _OBJECT.fullmatch(volume.name):
            yield _reject(path, f"{volume.name!r} is no name of a claim: lower case letters, digits, - and .")
        if not volume.size_bytes:
            yield _emulate(path, f"no size is stated: a claim of {LEAST_CLAIM >> 30}Gi is made when there is none")
        together = count > 1 or service.scaling or _starts_first(service)
        if options.access_mode.startswith("ReadWriteOnce") and together and not volume.read_only:
            yield _warn(
                path,
                "a ReadWriteOnce claim is mounted on one node at a time: a pod that is placed on another one waits; "
                "set backends.kubernetes.access_mode, or one replica with rollout.max_surge 0",
            )


def _resources(service: Service) -> Iterator[Issue]:
    r = service.resources
    pairs = (("memory", r.memory_bytes, r.memory_limit_bytes), ("cpu", r.cpu_millis, r.cpu_limit_millis))
    for word, reserved, limit in pairs:
        if reserved is not None and limit is not None and limit < reserved:
            yield _reject(f"resources.limits.{word}", f"less than what resources.{word} reserves")
    if service.scaling and service.scaling.cpu_percent is not None and r.cpu_millis is None:
        yield _reject("scale.cpu", "a percentage of resources.cpu, which is not stated")


def _times(service: Service) -> Iterator[Issue]:
    """Rounded up where Kubernetes counts in whole seconds. ``min_ready`` and ``deadline`` are orchctl's own as well."""
    times = [("stop.grace", service.stop.grace_ms), ("stop.drain", service.stop.drain_ms)]
    for word, probe in (("ready", service.health.ready), ("live", service.health.live)):
        if probe:
            times += [(f"health.{word}.interval", probe.interval_ms), (f"health.{word}.timeout", probe.timeout_ms)]
    for path, ms in times:
        if ms % 1_000:
            rounded = format_duration(whole_seconds(ms) * 1_000)
            yield _emulate(path, f"Kubernetes counts in seconds: {format_duration(ms)} becomes {rounded}")


def _rollout(service: Service) -> Iterator[Issue]:
    rollout = service.rollout
    if not _starts_first(service) and rollout.strategy is Strategy.ROLLING and rollout.max_unavailable.value == 0:
        yield _reject("rollout", "max_surge and max_unavailable are both 0: nothing could ever be replaced")


def _probes(service: Service) -> Iterator[Issue]:
    secret = {name: "" for name, value in service.env.items() if isinstance(value, SecretRef)}
    for word, probe in (("ready", service.health.ready), ("live", service.health.live)):
        if probe and _over_tcp(probe) and service.port(probe.port).protocol is not Protocol.TCP:
            yield _reject("health", f"port {probe.port} is not TCP")
        # The kubelet expands it with the values that stand in the spec: ExpandContainerCommandOnlyStatic (1.34).
        if probe and expand(probe.command, secret) != expand(probe.command, {}):
            yield _reject(
                f"health.{word}.exec",
                'Kubernetes puts no secret into the command of a check: read the variable there (sh -c "... $NAME")',
            )


def _over_tcp(probe: Probe) -> bool:
    return probe.kind is not ProbeKind.EXEC


def _starts_first(service: Service) -> bool:
    """Does a rollout run old and new pods side by side?"""
    return service.rollout.strategy is Strategy.ROLLING and service.rollout.max_surge != Amount(0)


def _placement(service: Service) -> Iterator[Issue]:
    options, placement = options_of(service), service.placement
    for key in (*(r.key for r in placement.require), *placement.spread):
        if not _LABEL_KEY.fullmatch(options.node_labels.get(key, key)):
            yield _reject(join("placement", key), "no label of a Kubernetes node has such a name")
    for requirement in placement.require:
        for value in requirement.values:
            if not is_label_value(value):
                path = join("placement.require", requirement.key)
                yield _reject(path, f"no label of a Kubernetes node has the value {value!r}")
    most = placement.max_per_node
    if most is not None and most > 1:
        message = f"pods are spread so that nodes differ by {most} at the most; one node may still have more"
        yield _warn("placement.max_per_node", message)


def _size(service: Service) -> Iterator[Issue]:
    size = len(intent(service, digests_of(service)).encode())
    if size > LARGEST_INTENT:
        yield _reject("env", f"the definition has {size} bytes; {LARGEST_INTENT} fit into an object of Kubernetes")


_PARTS: tuple[Callable[[Service], Iterator[Issue]], ...] = (
    _labels,
    _user,
    _files,
    _secrets,
    _ports,
    _volumes,
    _resources,
    _times,
    _rollout,
    _probes,
    _placement,
    _size,
)
