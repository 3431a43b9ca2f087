"""Service -> pod template: what runs inside one pod. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchctl.core.document import drop_empty, template_hash
from orchctl.core.environment import expand, port_environment
from orchctl.core.service import (
    EnvValue,
    Expose,
    File,
    Operator,
    Port,
    Probe,
    ProbeKind,
    Requirement,
    Resources,
    SecretRef,
    Service,
    Volume,
    VolumeKind,
)
from orchctl.core.units import format_bytes, format_cpu
from orchctl_kubernetes.names import (
    TEMPLATE,
    config_map_name,
    file_key,
    owner_labels,
    secret_key,
    secret_name,
    selector,
    volume_of,
)
from orchctl_kubernetes.options import Options, options_of

Json = dict[str, Any]

HOSTNAME = "kubernetes.io/hostname"
NUMERIC_USER = re.compile(r"(\d+)(?::(\d+))?")
_MEANS_MORE = re.compile(r"\$[$(\0]")  # \0 stands where a reference to a secret will be
_FILES, _SECRETS = "files", "secrets"
_OPERATORS = {
    Operator.IN: "In",
    Operator.NOT_IN: "NotIn",
    Operator.EXISTS: "Exists",
    Operator.NOT_EXISTS: "DoesNotExist",
}


def whole_seconds(ms: int) -> int:
    """Kubernetes counts in seconds: rounded up, so that nothing is shorter than asked for."""
    return -(-ms // 1_000)


def pod_template(service: Service, digests: Mapping[str, str]) -> Json:
    """``digests`` are the content digests by file path. Labels hold no revision: going back to an old definition
    finds its ReplicaSet again."""
    options = options_of(service)
    labels = owner_labels(service.namespace, service.name) | {TEMPLATE: template_hash(service, "kubernetes")}
    spec: Json = {
        "containers": [_container(service, digests, options)],
        "terminationGracePeriodSeconds": whole_seconds(service.stop.grace_ms) + whole_seconds(service.stop.drain_ms),
        # The address of every Service of the namespace as variables (WEB_PORT=tcp://...) is nothing that a spec asked for.
        "enableServiceLinks": False,
        "serviceAccountName": options.service_account,
        "imagePullSecrets": [{"name": n} for n in options.image_pull_secrets],
        "priorityClassName": options.priority_class,
        "securityContext": dict(options.pod_security_context),
        "tolerations": [dict(t) for t in options.tolerations],
        "affinity": _affinity(service, options),
        "topologySpreadConstraints": _spread(service, options),
        "volumes": [*_file_volumes(service, digests), *_volumes(service)],
    }
    return {"metadata": {"labels": labels}, "spec": drop_empty(spec)}


def _container(service: Service, digests: Mapping[str, str], options: Options) -> Json:
    texts = port_environment(service) | {k: v for k, v in service.env.items() if isinstance(v, str)}
    words = _Words(texts, [k for k, v in service.env.items() if isinstance(v, SecretRef)])
    container: Json = {
        "name": service.name,
        "image": image(service),
        "imagePullPolicy": options.image_pull_policy,
        "command": words.expanded(service.command),
        "args": words.expanded(service.args),
        "workingDir": service.working_dir,
        "ports": [_port(p) for p in service.ports],
        "resources": resources(service.resources),
        "volumeMounts": [*_file_mounts(service, digests), *_mounts(service)],
        "securityContext": _security(service, options),
        "lifecycle": _lifecycle(service),
        "env": [_variable(service, name, value) for name, value in sorted({**texts, **service.env}.items())],
        **_probes(service, words),
    }
    return drop_empty(container)


def image(service: Service) -> str:
    name = service.image or ""
    return f"{name}@{service.image_digest}" if service.image_digest and "@" not in name else name


class _Words:
    """``$(NAME)`` in commands, as orchctl has it on every backend: Kubernetes itself also turns every ``$$`` into
    ``$``. References to secrets are left to the kubelet, which alone has the values."""

    def __init__(self, texts: Mapping[str, str], secret: Sequence[str]) -> None:
        self._known = {**texts, **{name: f"\0{name}\0" for name in secret}}

    def expanded(self, words: Sequence[str]) -> list[str]:
        return [re.sub("\0(.*?)\0", r"$(\1)", escaped(w)) for w in expand(words, self._known)]


def escaped(text: str) -> str:
    """What Kubernetes reads as exactly ``text``."""
    return text.replace("$", "$$") if _MEANS_MORE.search(text) else text


def plain(text: str) -> str:
    """What ``escaped`` was made of."""
    return text.replace("$$", "$") if "$$" in text else text


def _variable(service: Service, name: str, value: EnvValue) -> Json:
    if isinstance(value, str):
        return {"name": name, "value": escaped(value)}
    return {"name": name, "valueFrom": {"secretKeyRef": _entry_of(service, value)}}


def _entry_of(service: Service, ref: SecretRef) -> Json:
    """Name and key of the Secret behind a reference: the user's own, or the one made for a provider's value."""
    if ref.source:
        return {"name": secret_name(service), "key": secret_key(ref)}
    return {"name": ref.name, "key": ref.key or ref.name}


def _port(port: Port) -> Json:
    found: Json = {"name": port.name, "containerPort": port.port, "protocol": port.protocol.value.upper()}
    return found | ({"hostPort": port.published} if port.expose is Expose.HOST and port.published else {})


def resources(wanted: Resources) -> Json:
    def part(cpu: int | None, memory: int | None) -> Json:
        found = {"cpu": None if cpu is None else format_cpu(cpu)}
        return found | {"memory": None if memory is None else format_bytes(memory)}

    return drop_empty(
        {
            "requests": part(wanted.cpu_millis, wanted.memory_bytes),
            "limits": part(wanted.cpu_limit_millis, wanted.memory_limit_bytes),
        }
    )


def _security(service: Service, options: Options) -> Json:
    match = NUMERIC_USER.fullmatch(service.user)
    user = {"runAsUser": int(match[1])} if match else {}
    group = {"runAsGroup": int(match[2])} if match and match[2] else {}
    return user | group | dict(options.security_context)


def _lifecycle(service: Service) -> Json:
    """The pod leaves the endpoints at once and its process hears of it only after the drain."""
    seconds = whole_seconds(service.stop.drain_ms)
    return {"preStop": {"sleep": {"seconds": seconds}}} if seconds else {}


def _probes(service: Service, words: _Words) -> Json:
    """``start.deadline`` holds back the liveness check alone: a pod that never becomes ready is judged by orchctl and
    not restarted, because readiness may depend on others."""
    ready, live, found = service.health.ready, service.health.live, {}
    if ready:
        found["readinessProbe"] = _probe(service, ready, words)
    if live:
        found["livenessProbe"] = _probe(service, live, words)
        start = {"periodSeconds": 1, "failureThreshold": max(1, whole_seconds(service.health.start_deadline_ms))}
        found["startupProbe"] = found["livenessProbe"] | start
    return found


def _probe(service: Service, probe: Probe, words: _Words) -> Json:
    what: Json
    if probe.kind is ProbeKind.HTTP:
        what = {"httpGet": {"path": probe.path, "port": probe.port}}
    elif probe.kind is ProbeKind.TCP:
        what = {"tcpSocket": {"port": probe.port}}
    elif probe.kind is ProbeKind.GRPC:
        what = {"grpc": {"port": service.port(probe.port).port}}
    else:
        what = {"exec": {"command": words.expanded(probe.command)}}
    return what | {
        "periodSeconds": max(1, whole_seconds(probe.interval_ms)),
        "timeoutSeconds": max(1, whole_seconds(probe.timeout_ms)),
        "failureThreshold": probe.failures,
    }


def node_label(options: Options, key: str) -> str:
    return options.node_labels.get(key, key)


def _affinity(service: Service, options: Options) -> Json:
    placement = service.placement
    rules = [_requirement(r, options) for r in placement.require]
    node = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": rules}]}}
    alone = {"labelSelector": {"matchLabels": selector(service.namespace, service.name)}, "topologyKey": HOSTNAME}
    pods = {"requiredDuringSchedulingIgnoredDuringExecution": [alone]}
    return drop_empty(
        {
            "nodeAffinity": node if rules else {},
            "podAntiAffinity": pods if placement.max_per_node == 1 else {},
        }
    )


def _requirement(requirement: Requirement, options: Options) -> Json:
    rule: Json = {"key": node_label(options, requirement.key), "operator": _OPERATORS[requirement.op]}
    return rule | ({"values": list(requirement.values)} if requirement.values else {})


def _spread(service: Service, options: Options) -> list[Json]:
    pods = {"matchLabels": selector(service.namespace, service.name)}
    keys = [node_label(options, key) for key in service.placement.spread]
    found = [
        {"topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": pods} for key in keys
    ]
    most = service.placement.max_per_node
    if most is not None and most > 1:
        even: Json = {"topologyKey": HOSTNAME, "maxSkew": most, "whenUnsatisfiable": "DoNotSchedule"}
        found.append(even | {"labelSelector": pods})
    return found


def _file_volumes(service: Service, digests: Mapping[str, str]) -> list[Json]:
    found: list[Json] = []
    if digests:
        items = [_item(file_key(path), service.files[path]) for path in sorted(digests)]
        found.append({"name": _FILES, "configMap": {"name": config_map_name(service, digests), "items": items}})
    secret = [(path, f, f.secret) for path, f in sorted(service.files.items()) if f.secret]
    if own := [_item(secret_key(r), f, path) for path, f, r in secret if r.source]:
        found.append({"name": _SECRETS, "secret": {"secretName": secret_name(service), "items": own}})
    for name in sorted({r.name for _, _, r in secret if not r.source}):
        items = [_item(r.key or r.name, f, path) for path, f, r in secret if r.name == name and not r.source]
        found.append({"name": _secret_volume(name), "secret": {"secretName": name, "items": items}})
    return found


def _secret_volume(name: str) -> str:
    """A claim of the same name is another volume."""
    return volume_of(f"secret/{name}")


def _item(key: str, file: File, path: str = "") -> Json:
    """One entry of a ConfigMap or Secret as a file of its own, since every file has its mode."""
    return {"key": key, "path": file_key(path) if path else key, "mode": int(file.mode, 8)}


def _file_mounts(service: Service, digests: Mapping[str, str]) -> list[Json]:
    """Single files, so that the rest of their directory stays the image's."""
    found = []
    for path, file in sorted(service.files.items()):
        if file.secret is None and path not in digests:
            continue
        volume = _FILES
        if file.secret:
            volume = _SECRETS if file.secret.source else _secret_volume(file.secret.name)
        found.append({"name": volume, "mountPath": path, "subPath": file_key(path), "readOnly": True})
    return found


def _volumes(service: Service) -> list[Json]:
    found = {_volume_name(target, v): _volume(v) for target, v in sorted(service.volumes.items())}
    return [{"name": name, **body} for name, body in found.items()]


def _volume_name(target: str, volume: Volume) -> str:
    """One claim is one volume, however often it is mounted."""
    return volume_of(volume.name if volume.kind is VolumeKind.NAMED else target)


def _volume(volume: Volume) -> Json:
    if volume.kind is VolumeKind.TMPFS:
        size = {"sizeLimit": format_bytes(volume.size_bytes)} if volume.size_bytes else {}
        return {"emptyDir": {"medium": "Memory"} | size}
    if volume.kind is VolumeKind.HOST:
        return {"hostPath": {"path": volume.name}}
    return {"persistentVolumeClaim": {"claimName": volume.name}}


def _mounts(service: Service) -> list[Json]:
    return [
        {"name": _volume_name(target, v), "mountPath": target} | ({"readOnly": True} if v.read_only else {})
        for target, v in sorted(service.volumes.items())
    ]
