"""What the API server makes of an applied object: defaults, status, managed fields. From answers of 1.34."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.unit.kubernetes.observed import MADE, Raw

_KEYED = {"ports": ("containerPort", "port"), "containers": ("name",), "env": ("name",), "volumes": ("name",)}
_ATOMIC = ("selector", "metrics", "accessModes", "scaleTargetRef")


def live_of(body: Mapping[str, Any], *, uid: str = "u-1", version: str = "7") -> Raw:
    """``body`` after an apply by orchctl, as a read gives it back."""
    found: Raw = json.loads(json.dumps(body))
    identity = {"uid": uid, "resourceVersion": version, "generation": 1, "creationTimestamp": MADE}
    found["metadata"] |= identity | {"managedFields": [managed(body)]}
    _DEFAULTS.get(found["kind"], _nothing)(found)
    return found


def managed(body: Mapping[str, Any], manager: str = "orchctl", operation: str = "Apply") -> Raw:
    """The entry of managedFields that says ``manager`` has set everything in ``body``."""
    metadata = {k: v for k, v in body["metadata"].items() if k in ("labels", "annotations")}
    fields = fields_of({"metadata": metadata, **{k: v for k, v in body.items() if k in ("spec", "data")}})
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields, "time": MADE}


def fields_of(value: Any, name: str = "") -> Raw:
    """FieldsV1 of ``value``."""
    if isinstance(value, Mapping) and name not in _ATOMIC:
        return {f"f:{k}": fields_of(v, k) for k, v in value.items()}
    keys = [k for k in _KEYED.get(name, ()) if isinstance(value, list) and value and k in value[0]]
    if not keys:
        return {}
    return {f"k:{json.dumps(_key(item, keys[0]))}": {".": {}, **fields_of(item)} for item in value}


def _key(item: Raw, name: str) -> Raw:
    return {name: item[name]} | ({"protocol": item["protocol"]} if "protocol" in item else {})


def quantity(text: str) -> str:
    """Kubernetes' own way to write an amount: 1000m is 1, 1000 is 1k, 1024Ki is 1Mi."""
    match = re.fullmatch(r"(\d+)(\w*)", text)
    assert match
    suffixes, base = ["m", "", "k", "M", "G", "T"], 1_000
    if match[2].endswith("i"):
        suffixes, base = ["Ki", "Mi", "Gi", "Ti"], 1_024
    count, at = int(match[1]), suffixes.index(match[2])
    while count and count % base == 0 and at + 1 < len(suffixes):
        count, at = count // base, at + 1
    return f"{count}{suffixes[at]}"


def _nothing(_: Raw) -> None:
    """ConfigMaps and Secrets come back as they were sent."""


def _deployment(found: Raw) -> None:
    spec = found["spec"]
    found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    found["status"] = {"observedGeneration": 1, "replicas": 1}
    spec |= {"revisionHistoryLimit": 10}
    if not spec.get("paused"):
        spec.pop("paused", None)
    spec["template"]["metadata"]["creationTimestamp"] = None
    pod = spec["template"]["spec"]
    for key, value in {
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
    }.items():
        pod.setdefault(key, value)
    if account := pod.get("serviceAccountName"):
        pod["serviceAccount"] = account
    for container in pod["containers"]:
        _container(container)
    for volume in pod.get("volumes", []):
        for kind, more in (("configMap", {"defaultMode": 420}), ("secret", {"defaultMode": 420})):
            if kind in volume:
                volume[kind] |= more
        for item in volume.get("downwardAPI", {}).get("items", []):
            item["fieldRef"]["apiVersion"] = "v1"
        if "hostPath" in volume:
            volume["hostPath"]["type"] = ""
        if "sizeLimit" in volume.get("emptyDir", {}):
            volume["emptyDir"]["sizeLimit"] = quantity(volume["emptyDir"]["sizeLimit"])


def _container(container: Raw) -> None:
    container |= {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
    container.setdefault("imagePullPolicy", "IfNotPresent")
    container["resources"] = {
        part: {name: quantity(amount) for name, amount in amounts.items()}
        for part, amounts in container.get("resources", {}).items()
    }
    for variable in container.get("env", []):
        if variable.get("value") == "":
            del variable["value"]
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        if probe := container.get(name):
            probe["successThreshold"] = 1
            if "httpGet" in probe:
                probe["httpGet"]["scheme"] = "HTTP"
            if "grpc" in probe:
                probe["grpc"]["service"] = ""


def _service(found: Raw) -> None:
    spec, address = found["spec"], found["spec"].get("clusterIP", "10.96.3.7")
    spec |= {"clusterIP": address, "clusterIPs": [address], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    found["status"] = {"loadBalancer": {}}
    if spec["type"] != "ClusterIP":
        spec["externalTrafficPolicy"] = "Cluster"
        for number, port in enumerate(spec["ports"], start=31_000):
            port.setdefault("nodePort", number)
    if spec["type"] == "LoadBalancer":
        spec["allocateLoadBalancerNodePorts"] = True


def _claim(found: Raw) -> None:
    spec = found["spec"]
    spec |= {"volumeMode": "Filesystem", "volumeName": "pvc-1"}
    spec.setdefault("storageClassName", "standard")
    found["metadata"] |= {"finalizers": ["kubernetes.io/pvc-protection"]}
    found["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
    found["status"] = {"phase": "Bound", "capacity": {"storage": "5Gi"}}


def _status(found: Raw) -> None:
    found["status"] = {"currentReplicas": 3, "desiredReplicas": 3}


_DEFAULTS = {
    "Deployment": _deployment,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "HorizontalPodAutoscaler": _status,
    "PodDisruptionBudget": _status,
}
