"""Raw API objects in the shapes that an API server answers with."""

from __future__ import annotations

from typing import Any

from orchctl_kubernetes.names import RESTARTED, TEMPLATE, owner_labels

Raw = dict[str, Any]
MADE = "2026-11-23T09:00:00Z"
RUNNING = {"running": {"startedAt": MADE}}


def deployment(
    replicas: int = 2, /, *, revision: int = 1, template: str = "t1", restarted: str = "", **status: Any
) -> Raw:
    counts = {"observedGeneration": 3, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas}
    annotations = {"annotations": {RESTARTED: restarted}} if restarted else {}
    return {
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "d-1",
            "generation": 3,
            "labels": owner_labels("shop", "web"),
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
        },
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"labels": owner_labels("shop", "web") | {TEMPLATE: template}, **annotations}},
        },
        "status": counts | status,
    }


def replica_set(revision: int = 1, *, uid: str = "", owner: str = "d-1", made: str = MADE) -> Raw:
    return {
        "metadata": {
            "name": f"web-{revision}",
            "uid": uid or f"rs-{revision}",
            "creationTimestamp": made,
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"kind": "Deployment", "name": "web", "uid": owner, "controller": True}],
        }
    }


def pod(
    name: str = "web-1-a",
    *,
    revision: int = 1,
    template: str = "t1",
    ready: bool = True,
    state: Raw | None = None,
    last: Raw | None = None,
    restarts: int = 0,
    made: str = MADE,
    restarted: str = "",
    leaving: bool = False,
    node: str = "n1",
    **status: Any,
) -> Raw:
    """A running, ready pod of ReplicaSet ``web-REVISION`` unless told otherwise."""
    metadata: Raw = {
        "name": name,
        "uid": f"uid-{name}",
        "creationTimestamp": made,
        "labels": owner_labels("shop", "web") | {TEMPLATE: template},
        "ownerReferences": [{"kind": "ReplicaSet", "uid": f"rs-{revision}", "controller": True}],
    }
    metadata |= {"annotations": {RESTARTED: restarted}} if restarted else {}
    metadata |= {"deletionTimestamp": MADE, "deletionGracePeriodSeconds": 30} if leaving else {}
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Ready", "status": "True" if ready else "False"},
    ]
    return {
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [{"name": "web", "image": "web:1"}]},
        "status": {
            "phase": "Running",
            "hostIP": "10.0.0.1",
            "conditions": conditions,
            "containerStatuses": [container("web", ready=ready, state=state, last=last, restarts=restarts)],
        }
        | status,
    }


def container(
    name: str, *, ready: bool = True, state: Raw | None = None, last: Raw | None = None, restarts: int = 0
) -> Raw:
    return {
        "name": name,
        "ready": ready,
        "restartCount": restarts,
        "state": state or RUNNING,
        "lastState": last or {},
    }


def waiting(reason: str, message: str = "") -> Raw:
    return {"waiting": {"reason": reason, "message": message}}


def terminated(code: int, reason: str = "Error", message: str = "") -> Raw:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def unscheduled(message: str) -> Raw:
    found = pod(ready=False, node="")
    blocked = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    found["status"] = {"phase": "Pending", "conditions": [blocked]}
    return found


def finished(name: str, reason: str, message: str = "", **more: Any) -> Raw:
    return pod(name, ready=False, phase="Failed", reason=reason, message=message, containerStatuses=[], **more)
