"""Service -> the objects of the Kubernetes API. Pure: same service, same bytes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchctl.core.codec import canonical_json, to_plain
from orchctl.core.patch import merge_patch
from orchctl.core.plan import NativeObject
from orchctl.core.service import Amount, Expose, Port, Service, Strategy, Volume, VolumeKind
from orchctl.core.units import format_bytes
from orchctl_kubernetes.names import (
    INTENT,
    MANAGED_BY,
    NAMESPACE,
    config_map_name,
    digests_of,
    external_service_name,
    file_key,
    nodes_service_name,
    owner_labels,
    provider_refs,
    secret_key,
    secret_name,
    selector,
)
from orchctl_kubernetes.options import options_of
from orchctl_kubernetes.pod import Json, pod_template, whole_seconds
from orchctl_kubernetes.resources import (
    AUTOSCALERS,
    BUDGETS,
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    SECRETS,
    SERVICES,
    Resource,
)

LEAST_CLAIM = 1 << 30
"""Bytes that a claim asks for when the spec does not say: the API wants a size."""
_LONGEST_LABEL = 63
_BUDGET_WORDS = {"min_available": "minAvailable", "max_unavailable": "maxUnavailable"}

__all__ = ["generated_names", "provider_refs", "render", "rendered", "secret_key"]


def render(service: Service) -> list[NativeObject]:
    """Claims, files, secrets (without their values), Services, budget, autoscaler, and last the Deployment: in the
    order in which they are written."""
    digests = digests_of(service)
    files = [_config_map(service, digests)] if digests else []
    secrets = [_secret(service)] if provider_refs(service) else []
    claims = [_claim(service, v) for v in _claimed(service)]
    bodies = [*claims, *files, *secrets, *rendered(service, digests)]
    return [NativeObject(kind=b["kind"], name=b["metadata"]["name"], body=b) for b in bodies]


def rendered(service: Service, digests: Mapping[str, str]) -> list[Json]:
    """What stands as long as the definition does: Services, budget, autoscaler, Deployment."""
    found = [*_services(service)]
    if options_of(service).disruption_budget:
        found.append(_budget(service))
    if service.scaling and service.scaling.cpu_percent is not None:
        found.append(_autoscaler(service))
    return [*found, _deployment(service, digests)]


def claims_of(service: Service) -> list[Json]:
    return [_claim(service, v) for v in _claimed(service)]


def generated_names(service: Service) -> set[tuple[str, str]]:
    """(kind, name) of the ConfigMap and the Secret that this definition refers to."""
    digests = digests_of(service)
    found = {("ConfigMap", config_map_name(service, digests))} if digests else set()
    return found | ({("Secret", secret_name(service))} if provider_refs(service) else set())


def is_label_value(text: str) -> bool:
    """Short enough, of the right alphabet, with letters or digits at its ends."""
    inner = text.replace("-", "a").replace("_", "a").replace(".", "a")
    good_ends = not text or (text[0].isalnum() and text[-1].isalnum())
    return len(text) <= _LONGEST_LABEL and good_ends and (not inner or (inner.isascii() and inner.isalnum()))


def _object(resource: Resource, service: Service, name: str, **parts: Any) -> Json:
    labels = owner_labels(service.namespace, service.name)
    metadata = {"name": name, "namespace": service.namespace, "labels": labels}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **parts}


def _deployment(service: Service, digests: Mapping[str, str]) -> Json:
    template, options = pod_template(service, digests), options_of(service)
    min_ready = whole_seconds(service.rollout.min_ready_ms)
    spec: Json = {
        "replicas": 1 if service.replicas is None else service.replicas,
        "selector": {"matchLabels": selector(service.namespace, service.name)},
        "strategy": _strategy(service),
        "minReadySeconds": min_ready,
        # Shown by kubectl; orchctl does not go by it. The API wants more than minReadySeconds.
        "progressDeadlineSeconds": max(whole_seconds(service.rollout.deadline_ms), min_ready + 1),
        "paused": False,
        "template": template,
    }
    body = _object(DEPLOYMENTS, service, service.name, spec=spec)
    short = {k: v for k, v in service.labels.items() if is_label_value(v)}
    body["metadata"]["labels"] = short | body["metadata"]["labels"]
    long = {k: v for k, v in service.labels.items() if k not in short}
    body["metadata"]["annotations"] = long | {INTENT: intent(service, digests)}
    patched: Json = merge_patch(body, options.patch)
    return patched


def intent(service: Service, digests: Mapping[str, str]) -> str:
    """What was asked for, as one annotation: the live object alone then tells port names, policy and needs.

    Without the count, which ``scale`` and autoscalers change, and with contents as digests.
    """
    files = {p: replace(f, content=b"") if f.secret is None else f for p, f in service.files.items()}
    return canonical_json({"files": dict(digests), "service": to_plain(replace(service, replicas=None, files=files))})


def _strategy(service: Service) -> Json:
    rollout = service.rollout
    if rollout.strategy is Strategy.RECREATE:
        return {"type": "Recreate"}
    amounts = {"maxSurge": _amount(rollout.max_surge), "maxUnavailable": _amount(rollout.max_unavailable)}
    return {"type": "RollingUpdate", "rollingUpdate": amounts}


def _amount(amount: Amount) -> int | str:
    """Kubernetes rounds percentages as orchctl does: surge up, unavailability down."""
    return str(amount) if amount.percent else amount.value


def _services(service: Service) -> list[Json]:
    """The main one has every port and is what pods of the cluster find; what goes outside has a Service of its own, so
    that nothing else is published with it."""
    if not service.ports:
        return []
    options = options_of(service)
    inside = {"type": "ClusterIP"} | ({"clusterIP": "None"} if options.headless else {})
    main = _service(service, service.name, inside, [_service_port(p, p.port) for p in service.ports])
    found: list[Json] = [merge_patch(main, options.service_patch)]
    if ports := [_node_port(p) for p in service.ports if p.expose is Expose.CLUSTER]:
        found.append(_service(service, nodes_service_name(service.name), {"type": "NodePort"}, ports))
    if ports := [_service_port(p, p.published or p.port) for p in service.ports if p.expose is Expose.EXTERNAL]:
        found.append(_service(service, external_service_name(service.name), {"type": "LoadBalancer"}, ports))
    return found


def _service(service: Service, name: str, kind: Json, ports: list[Json]) -> Json:
    pods = selector(service.namespace, service.name)
    return _object(SERVICES, service, name, spec=kind | {"selector": pods, "ports": ports})


def _service_port(port: Port, number: int) -> Json:
    return {"name": port.name, "port": number, "targetPort": port.name, "protocol": port.protocol.value.upper()}


def _node_port(port: Port) -> Json:
    return _service_port(port, port.port) | ({"nodePort": port.published} if port.published else {})


def _budget(service: Service) -> Json:
    asked = {_BUDGET_WORDS[k]: v for k, v in options_of(service).disruption_budget.items()}
    spec = asked | {"selector": {"matchLabels": selector(service.namespace, service.name)}}
    return _object(BUDGETS, service, service.name, spec=spec)


def _autoscaler(service: Service) -> Json:
    scaling = service.scaling
    assert scaling is not None
    target = {"type": "Utilization", "averageUtilization": scaling.cpu_percent}
    spec = {
        "scaleTargetRef": {"apiVersion": DEPLOYMENTS.api_version, "kind": DEPLOYMENTS.kind, "name": service.name},
        "minReplicas": scaling.min,
        "maxReplicas": scaling.max,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return _object(AUTOSCALERS, service, service.name, spec=spec)


def _claimed(service: Service) -> list[Volume]:
    """Named volumes, each once."""
    named = {v.name: v for _, v in sorted(service.volumes.items()) if v.kind is VolumeKind.NAMED}
    return [named[name] for name in sorted(named)]


def _claim(service: Service, volume: Volume) -> Json:
    """Of the namespace and not of the service: services share it, and it outlives them."""
    options = options_of(service)
    size = {"requests": {"storage": format_bytes(volume.size_bytes or LEAST_CLAIM)}}
    spec: Json = {"accessModes": [options.access_mode], "resources": size}
    spec |= {"storageClassName": options.storage_class} if options.storage_class else {}
    body = _object(CLAIMS, service, volume.name, spec=spec)
    body["metadata"]["labels"] = {MANAGED_BY: "orchctl", NAMESPACE: service.namespace}
    return body


def _config_map(service: Service, digests: Mapping[str, str]) -> Json:
    """Text stays text, so that ``kubectl get`` shows it."""
    texts: dict[str, str] = {}
    binary: dict[str, str] = {}
    for path in sorted(digests):
        content = service.files[path].content or b""
        try:
            texts[file_key(path)] = content.decode("utf-8")
        except UnicodeDecodeError:
            binary[file_key(path)] = base64.b64encode(content).decode("ascii")
    parts: Json = {"immutable": True} | ({"data": texts} if texts else {}) | ({"binaryData": binary} if binary else {})
    return _object(CONFIG_MAPS, service, config_map_name(service, digests), **parts)


def _secret(service: Service) -> Json:
    """As it is shown: the values are added by the writer alone."""
    return _object(SECRETS, service, secret_name(service), type="Opaque", immutable=True)
