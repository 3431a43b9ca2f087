"""A cluster whose nodes are simulated: thousands of pods for the price of their objects, and no process in any.

The tag of its first container's image says how a pod behaves: ``missing`` (ImagePullBackOff), ``crash``
(CrashLoopBackOff), ``unready`` (runs, never ready); with every other tag it is ready at once. Its addresses do not exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.kubernetes import build
from tests.servers.kubernetes.api import Api
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.waiting import until

MISSING, CRASH, UNREADY = "missing", "crash", "unready"
_TAG = '.spec.containers[0].image | split(":") | .[-1]'
_NOW = "{{ Now | Quote }}"
_ENDED = f"terminated: {{exitCode: 7, reason: Error, startedAt: {_NOW}, finishedAt: {_NOW}}}"
_STATUS = """\
phase: %(phase)s
startTime: {{ Now | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false ( or .metadata.uid "" ) .metadata.name .metadata.namespace | Quote }}
conditions:
{{ range $type := %(true)s }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ Now | Quote }}}
{{ end }}
{{ range $type := %(false)s }}
- {type: {{ $type }}, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ Now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", %(container)s}
{{ end }}
"""


@contextmanager
def simulated(*, nodes: int = 3) -> Iterator[Cluster]:
    """A control plane, and ``nodes`` ready nodes that are none."""
    program = build.kwok()
    with Cluster(node=False) as cluster:
        _simulate(cluster, program)
        for number in range(nodes):
            metadata = {"name": f"fake{number}", "labels": {"kubernetes.io/hostname": f"fake{number}"}}
            cluster.api.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
        until("the simulated nodes", lambda: _ready_nodes(cluster.api) == nodes)
        yield cluster


def _simulate(cluster: Cluster, program: Path) -> None:
    places = cluster.places
    config = cluster.root / "kwok.yaml"
    config.write_text("\n---\n".join(json.dumps(stage) for stage in _stages()))
    credentials = f"--kubeconfig={places.pki}/kwok.kubeconfig"
    node = [f"--cidr={places.pods}", f"--node-ip={places.address}", "--node-lease-duration-seconds=40"]
    cluster.run("kwok", f"--config={config}", credentials, "--manage-all-nodes=true", *node, program=[str(program)])


def _ready_nodes(api: Api) -> int:
    nodes = api.items("nodes")
    ready = [
        c for n in nodes for c in n["status"].get("conditions", []) if (c["type"], c["status"]) == ("Ready", "True")
    ]
    return len(ready) if not any(n["spec"].get("taints") for n in nodes) else 0


def _stages() -> Iterator[dict[str, Any]]:
    """What happens to a pod, and when. kwok has its own for nodes."""
    special = {"key": _TAG, "operator": "NotIn", "values": [MISSING, CRASH, UNREADY]}
    yield _stage("ready", special, _status(f"ready: true, restartCount: 0, state: {{running: {{startedAt: {_NOW}}}}}"))
    waiting = 'waiting: {reason: ImagePullBackOff, message: "Back-off pulling image: not found"}'
    broken = {
        UNREADY: ("Running", f"running: {{startedAt: {_NOW}}}", 0, ""),
        MISSING: ("Pending", waiting, 0, ""),
        CRASH: (
            "Running",
            'waiting: {reason: CrashLoopBackOff, message: "back-off 5s"}',
            3,
            f"lastState: {{{_ENDED}}}",
        ),
    }
    for tag, (phase, state, restarts, last) in broken.items():
        container = f"ready: false, restartCount: {restarts}, state: {{{state}}}" + (f", {last}" if last else "")
        chosen = {"key": _TAG, "operator": "In", "values": [tag]}
        yield _stage(tag, chosen, _status(container, phase=phase, ready=False))
    gone = {"key": ".metadata.deletionTimestamp", "operator": "Exists"}
    yield _pod_stage("gone", [gone], {"finalizers": {"empty": True}, "delete": True})


def _stage(name: str, chosen: dict[str, Any], status: str) -> dict[str, Any]:
    """Once in the life of a pod: it has no address before."""
    fresh = [{"key": key, "operator": "DoesNotExist"} for key in (".metadata.deletionTimestamp", ".status.podIP")]
    return _pod_stage(name, [*fresh, chosen], {"statusTemplate": status})


def _pod_stage(name: str, when: list[dict[str, Any]], then: dict[str, Any]) -> dict[str, Any]:
    spec = {"resourceRef": {"apiGroup": "v1", "kind": "Pod"}, "selector": {"matchExpressions": when}, "next": then}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": f"pod-{name}"}, "spec": spec}


def _status(container: str, *, phase: str = "Running", ready: bool = True) -> str:
    dependent = ["Ready", "ContainersReady"]
    lists = {True: ["Initialized", *(dependent if ready else [])], False: [] if ready else dependent}
    true, false = ("( list " + " ".join(f'"{t}"' for t in lists[k]) + " )" for k in (True, False))
    return _STATUS % {"phase": phase, "true": true, "false": false, "container": container}
