"""Many pods on simulated nodes, and an autoscaler that is given something to see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench.measure import run
from tests.servers.kubernetes import fleet, images, kwok
from tests.servers.kubernetes.api import Api, path_of
from tests.servers.kubernetes.audit import AuditLog
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.kubernetes.metrics import Metrics
from tests.servers.waiting import until

pytestmark = [pytest.mark.world_kubernetes, pytest.mark.soak, pytest.mark.xdist_group("kwok")]

NAMESPACE = "default"
SERVICES, PODS_EACH = 300, 3  # the bench has 1,000
MOST_MIB = 130
_ORCHCTL = str(Path(sys.executable).parent / "orchctl")


def deployment(name: str, image: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    container = {
        "name": name,
        "image": image,
        "command": ["sleep", "3600"],
        "resources": {"requests": {"cpu": "100m"}},
    }
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def ready(api: Api, name: str) -> int:
    return int(api.get(path_of("deployments", NAMESPACE, name))["status"].get("readyReplicas", 0))


def states(api: Api, name: str) -> set[str]:
    pods = api.items("pods", NAMESPACE, labelSelector=f"app={name}")
    statuses = [s for p in pods for s in p["status"].get("containerStatuses", [])]
    return {s["state"].get("waiting", {}).get("reason", "running") for s in statuses}


def test_fifty_simulated_pods_become_ready_on_three_nodes_and_go(kwok_cluster: Cluster) -> None:
    api = kwok_cluster.api
    api.apply(deployment("many", "web:1", 50))
    until("fifty ready pods", lambda: ready(api, "many") == 50)
    pods = api.items("pods", NAMESPACE, labelSelector="app=many")
    assert {p["spec"]["nodeName"] for p in pods} == {"fake0", "fake1", "fake2"}
    assert len({p["status"]["podIP"] for p in pods}) == 50
    api.delete(path_of("deployments", NAMESPACE, "many"))
    until("no pod", lambda: not api.items("pods", NAMESPACE, labelSelector="app=many"))


@pytest.mark.parametrize(
    ("tag", "state"),
    [(kwok.MISSING, "ImagePullBackOff"), (kwok.CRASH, "CrashLoopBackOff"), (kwok.UNREADY, "running")],
)
def test_a_simulated_pod_fails_as_its_images_tag_says(kwok_cluster: Cluster, tag: str, state: str) -> None:
    api = kwok_cluster.api
    api.apply(deployment(tag, f"web:{tag}", 2))
    until(state, lambda: states(api, tag) == {state})
    assert ready(api, tag) == 0


def test_an_autoscaler_acts_on_the_cpu_that_a_test_sets(own_kubernetes: Cluster) -> None:
    api = own_kubernetes.api
    with Metrics(own_kubernetes, cpu="50m") as metrics:
        api.apply(deployment("scaled", images.IMAGE, 1))
        until("the first pod", lambda: ready(api, "scaled") == 1)
        api.apply(autoscaler("scaled", most=3))
        metrics.cpu = "200m"
        until("as many pods as it may make", lambda: ready(api, "scaled") == 3)
    for resource in ("horizontalpodautoscalers", "deployments"):
        api.remove(resource, NAMESPACE, "scaled")


def autoscaler(name: str, most: int) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": most, "metrics": [cpu]}
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


@dataclass(frozen=True, slots=True)
class Full:
    """The cluster, with many services in ``namespace``; ``environment`` lets a process reach it."""

    cluster: Cluster
    namespace: str
    environment: dict[str, str]
    folder: Path

    def words(self, *words: str) -> list[str]:
        return [*words, "--backend", "kubernetes", "-n", self.namespace]

    def status(self, *names: str) -> list[dict[str, Any]]:
        words = self.words("status", *names, "-o", "json")
        done = subprocess.run(
            [_ORCHCTL, *words], env=self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
        return found

    def requests(self, *names: str) -> list[str]:
        """Paths that a status asks for."""
        log = AuditLog(self.cluster.places.audit, "admin")
        self.status(*names)
        return [r.uri.partition("?")[0] for r in log.requests() if r.agent.startswith("orchctl/")]


@pytest.fixture(scope="module")
def full(kwok_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Full:
    """One of its services has an image that does not exist, one a process that ends."""
    services = fleet.services("full", SERVICES, replicas=PODS_EACH)
    services[100] = replace(services[100], image=f"web:{kwok.MISSING}")
    services[200] = replace(services[200], image=f"web:{kwok.CRASH}")
    fleet.fill(kwok_cluster, services)
    folder = tmp_path_factory.mktemp("full")
    own = {"KUBECONFIG": str(kwok_cluster.admin), "ORCHCTL_STATE_DIR": str(folder), "ORCHCTL_CONFIG": os.devnull}
    return Full(kwok_cluster, "full", os.environ | own, folder)


def test_status_of_all_services_asks_for_as_much_as_status_of_one(full: Full) -> None:
    everything = full.requests()
    assert everything == full.requests("s1")
    assert len(everything) <= 7


def test_a_failing_service_among_many_is_found_with_its_cause(full: Full) -> None:
    found = full.status()
    assert len(found) == SERVICES
    unhealthy = {s["name"]: (s["phase"], s["message"]) for s in found if s["phase"] != "healthy"}
    assert unhealthy.keys() == {"s100", "s200"}
    assert "Back-off pulling image" in unhealthy["s100"][1]
    assert unhealthy["s200"][0] == "failed"
    assert "exit code 7" in unhealthy["s200"][1]


def test_status_of_all_services_takes_a_bounded_amount_of_memory(full: Full) -> None:
    assert run([_ORCHCTL, *full.words("status", "-o", "json")], full.environment).peak_mib <= MOST_MIB
