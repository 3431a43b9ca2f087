"""A real Kubernetes, looked at through its API as an administrator and never through the adapter."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint
from orchctl.core.registry import load
from orchctl.core.service import Amount, Health, Port, Probe, ProbeKind, Resources, Rollout, Service, Stop
from orchctl.testing.world import Behaviour, Truth, World
from tests.rounds import LOAD, PATIENCE, RACES
from tests.servers.kubernetes import images
from tests.servers.kubernetes.account import admit
from tests.servers.kubernetes.api import path_of
from tests.servers.kubernetes.audit import AuditLog
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.kubernetes.given import VARIABLE, Given
from tests.servers.waiting import until
from tests.worlds.owned import applied_by

NAMESPACE = "test"
MANAGER = "orchctl"
# In pods of a cluster that we do not run; ours needs no registry.
_GIVEN_IMAGE = os.environ.get("ORCHCTL_TEST_IMAGE", "busybox:1.37")
# A shell as first process that ends on SIGTERM: busybox httpd in that place ignores the signal.
_SERVE = 'trap "exit 0" TERM; mkdir -p /www; printf %s "$GREETING" > /www/index.html; httpd -f -p "$PORT_HTTP" -h /www & wait'
_SCRIPTS = {
    Behaviour.CRASH: "echo 'boom: cannot start' >&2; exit 7",
    # Kubernetes looks once a second at the most: one second is not enough to become ready in every time.
    Behaviour.CRASH_LATER: f"({_SERVE}) & sleep 2; exit 7",
    Behaviour.NEVER_READY: 'trap "exit 0" TERM; sleep 3600 & wait',
}
_USUAL_START_S = 2.0
"""On two cores with nothing else to do (2026-11)."""
_START_DEADLINE_MS = 60_000
_NEVER_READY_DEADLINE_MS = 3_000
# What may be left of a service, and is removed before the next test. The order is that of the removal.
_KINDS = (
    "horizontalpodautoscalers",
    "poddisruptionbudgets",
    "deployments",
    "replicasets",
    "services",
    "endpointslices",
    "configmaps",
    "secrets",
    "leases",
    "persistentvolumeclaims",
    "resourcequotas",
    "limitranges",
    "pods",
)
_SYSTEM = {"configmaps": "metadata.name!=kube-root-ca.crt"}


class KubernetesWorld(World):
    """``cluster`` runs and outlives the world; one world at a time uses it. orchctl has the rights that it asks for."""

    name = "kubernetes"
    load_rounds, race_rounds = LOAD, RACES
    unschedulable_s = float(PATIENCE)

    def __init__(self, cluster: Cluster | Given, state_dir: Path) -> None:
        self.cluster = cluster
        self.api = cluster.api
        self.user = f"system:serviceaccount:{NAMESPACE}:orchctl"
        self._log = AuditLog(cluster.places.audit, self.user) if isinstance(cluster, Cluster) else None
        self.image = images.IMAGE if isinstance(cluster, Cluster) else _GIVEN_IMAGE
        self.backend = load("kubernetes")
        self.kubeconfig = self._admit(state_dir)
        settings = {"kubeconfig": str(self.kubeconfig), "kube_context": "test"}
        self.context = Context(
            name="kubernetes", backend="kubernetes", state_dir=state_dir, namespace=NAMESPACE, settings=settings
        )

    def _admit(self, folder: Path) -> Path:
        """The namespace, and orchctl's account in it."""
        from orchctl_kubernetes import access

        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        token = admit(self.api, NAMESPACE, access.ACCOUNT, (dict(o.body) for o in access.objects(NAMESPACE)))
        return self.cluster.kubeconfig(folder / "kubeconfig", {"token": token}, namespace=NAMESPACE)

    def service(self, behaviour: Behaviour = Behaviour.GOOD, *, name: str = "web", greeting: str = "one") -> Service:
        late = behaviour is Behaviour.CRASH_LATER
        deadline = _NEVER_READY_DEADLINE_MS if behaviour is Behaviour.NEVER_READY else _START_DEADLINE_MS
        probe = Probe(kind=ProbeKind.HTTP, path="/", port="http", interval_ms=1_000, timeout_ms=10_000)
        service = Service(
            name=name,
            namespace=NAMESPACE,
            image=images.MISSING if behaviour is Behaviour.MISSING_IMAGE else self.image,
            command=("/bin/sh", "-c"),
            args=(_SCRIPTS.get(behaviour, _SERVE),),
            replicas=2,
            env={"GREETING": greeting},
            ports=(Port(name="http", port=8080),),
            health=Health(ready=probe, start_deadline_ms=deadline),
            rollout=Rollout(
                max_surge=Amount(1),
                max_unavailable=Amount(0),
                min_ready_ms=4_000 if late else 300,
                deadline_ms=180_000,
            ),
            stop=Stop(grace_ms=2_000),
        )
        if behaviour is Behaviour.UNSCHEDULABLE:
            return replace(service, resources=Resources(memory_bytes=1 << 50))
        return service

    def truth(self, name: str) -> Truth:
        found = {kind: self._items(kind) for kind in _KINDS}
        exists = any(d["metadata"]["name"] == name for d in found["deployments"])
        pods = [p for p in found["pods"] if _belongs(p, name)]
        running = {i: env for pod in pods for i, env in _running(pod)}
        left = [f"{kind} {o['metadata']['name']}" for kind in _KINDS for o in found[kind] if _belongs(o, name)]
        return Truth(exists=exists, running=running, leftovers=tuple(left))

    def _items(self, kind: str) -> list[dict[str, Any]]:
        selector = {"fieldSelector": _SYSTEM[kind]} if kind in _SYSTEM else {}
        return self.api.items(kind, NAMESPACE, **selector)

    def pace(self) -> float:
        """By one pod of the tests' image that is created, runs to its end and is removed."""
        started = time.monotonic()
        container = {"name": "main", "image": self.image, "command": ["true"]}
        body = {"metadata": {"name": "pace"}, "spec": {"restartPolicy": "Never", "containers": [container]}}
        self.api.create("pods", {"apiVersion": "v1", "kind": "Pod"} | body, NAMESPACE)
        pod = path_of("pods", NAMESPACE, "pace")
        until("the end of a pod", lambda: self.api.get(pod)["status"].get("phase") == "Succeeded")
        took = time.monotonic() - started
        self.api.delete(pod, {"gracePeriodSeconds": 0})
        until("no pod", lambda: not any(p["metadata"]["name"] == "pace" for p in self._items("pods")))
        return max(1.0, took / _USUAL_START_S)

    def writes(self) -> int:
        return len(self.log.writes())

    def requests(self) -> int:
        return len(self.log.requests())

    def written(self) -> list[str]:
        """``resource/subresource`` of every write so far."""
        return [r.resource for r in self.log.writes()]

    @property
    def admin(self) -> Path:
        """A kubeconfig that may do everything."""
        return self.cluster.admin

    @property
    def log(self) -> AuditLog:
        if self._log is None:
            pytest.skip(f"requests are counted in the API server's audit log, which {VARIABLE} does not offer")
        return self._log

    def own(self, what: str) -> Cluster:
        """The cluster with all that only ours offers."""
        if not isinstance(self.cluster, Cluster):
            pytest.skip(f"{what} needs the tests' own cluster, not the one of {VARIABLE}")
        return self.cluster

    def foreign(self, name: str) -> None:
        labels = {"app": f"somebody-elses-{name}"}
        container = {"name": "main", "image": self.image, "command": ["sleep", "3600"]}
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
        self.api.create("deployments", body, NAMESPACE)

    def tamper(self, name: str) -> None:
        """As orchctl itself would: the same manager applies the same fields with another value, so that nothing
        but the value tells. A change by somebody else (``kubectl edit``) is another story: a conflict."""
        live = self.api.get(path_of("deployments", NAMESPACE, name))
        body = applied_by(MANAGER, live)
        assert body is not None, f"{name} was not applied by {MANAGER}"
        container = next(c for c in body["spec"]["template"]["spec"]["containers"] if c["name"] == name)
        next(e for e in container["env"] if e["name"] == "GREETING")["value"] = "tampered"
        self.api.apply(body, manager=MANAGER)

    def kill_instance(self, name: str) -> None:
        """Over when the cluster knows: it shows the container as running for up to a second more."""
        victim = next(iter(self.truth(name).running))
        self.own("killing a container").kill(victim)
        until("the end of the container", lambda: victim not in self.truth(name).running)

    def fetch(self, endpoint: Endpoint) -> bytes:
        self.own("a request to a pod's address")
        return super().fetch(endpoint)

    def forget_entries(self, namespace: str) -> None:
        """Remove every entry of orchctl's store in ``namespace``."""
        for kind in ("secrets", "leases"):
            self.api.delete(path_of(kind, namespace), labelSelector="orchctl.dev/store=entry")

    def clean(self) -> None:
        until(f"an empty namespace {NAMESPACE}", self._is_clean, every=0.1)

    def _is_clean(self) -> bool:
        """Whatever is there is told to go, again and again: controllers make new objects until their owners are gone."""
        left = [kind for kind in _KINDS if self._items(kind)]
        for kind in left:
            self._remove_all(kind)
        return not left

    def _remove_all(self, kind: str) -> None:
        options = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        selector = {"fieldSelector": _SYSTEM[kind]} if kind in _SYSTEM else {}
        self.api.delete(path_of(kind, NAMESPACE), options, **selector)
        for stuck in self._items(kind):
            if stuck["metadata"].get("finalizers"):
                path = path_of(kind, NAMESPACE, stuck["metadata"]["name"])
                self.api.patch_if_there(path, {"metadata": {"finalizers": None}})


def _belongs(found: dict[str, Any], name: str) -> bool:
    """By what the object says about itself, and by the name of the service's place in the store."""
    metadata = found["metadata"]
    labels = metadata.get("labels") or {}
    said = json.dumps([labels, metadata.get("annotations") or {}])
    return labels.get("orchctl.dev/name") == name or f'"{NAMESPACE}/{name}/' in said


def _running(pod: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """(container id, environment as the spec has it). A pod that was told to stop is on its way out."""
    if "deletionTimestamp" in pod["metadata"]:
        return []
    environments = {
        c["name"]: {e["name"]: e.get("value", "") for e in c.get("env", [])} for c in pod["spec"]["containers"]
    }
    statuses = pod["status"].get("containerStatuses", [])
    return [(s["containerID"], environments[s["name"]]) for s in statuses if "running" in s["state"]]
