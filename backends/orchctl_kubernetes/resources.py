"""Where each kind of object lives in the API."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """``root`` is the API group's path (``apis/apps/v1``), ``plural`` the resource's name in it."""

    kind: str
    root: str
    plural: str

    def path(self, namespace: str, name: str = "", sub: str = "") -> str:
        """The collection, one object (``name``), or a subresource of it (``sub``)."""
        parts = [self.root, "namespaces", quote(namespace, safe=""), self.plural]
        parts += [quote(name, safe="")] if name else []
        return "/" + "/".join(parts + ([sub] if sub else []))

    @property
    def group(self) -> str:
        """As rules of a Role name it: "" for the core group."""
        return self.root.split("/")[1] if self.root.startswith("apis/") else ""

    @property
    def api_version(self) -> str:
        return self.root.partition("/")[2]


DEPLOYMENTS = Resource("Deployment", "apis/apps/v1", "deployments")
REPLICA_SETS = Resource("ReplicaSet", "apis/apps/v1", "replicasets")
PODS = Resource("Pod", "api/v1", "pods")
SERVICES = Resource("Service", "api/v1", "services")
CONFIG_MAPS = Resource("ConfigMap", "api/v1", "configmaps")
SECRETS = Resource("Secret", "api/v1", "secrets")
CLAIMS = Resource("PersistentVolumeClaim", "api/v1", "persistentvolumeclaims")
EVENTS = Resource("Event", "api/v1", "events")
AUTOSCALERS = Resource("HorizontalPodAutoscaler", "apis/autoscaling/v2", "horizontalpodautoscalers")
BUDGETS = Resource("PodDisruptionBudget", "apis/policy/v1", "poddisruptionbudgets")
SLICES = Resource("EndpointSlice", "apis/discovery.k8s.io/v1", "endpointslices")
LEASES = Resource("Lease", "apis/coordination.k8s.io/v1", "leases")

NAMESPACES_PATH = "/api/v1/namespaces"
NODES_PATH = "/api/v1/nodes"

BY_KIND = {r.kind: r for r in (DEPLOYMENTS, SERVICES, CONFIG_MAPS, SECRETS, CLAIMS, AUTOSCALERS, BUDGETS)}
