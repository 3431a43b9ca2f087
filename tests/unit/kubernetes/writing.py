"""A Writer on the stand-in cluster, and the steps that tests of it share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchctl.core.document import template_hash
from orchctl.core.plan import Plan
from orchctl.core.rollout import Handle
from orchctl.core.secret import Secret
from orchctl.core.service import SecretRef, Service
from orchctl_kubernetes.reader import KubernetesReader
from orchctl_kubernetes.translate import provider_refs
from orchctl_kubernetes.writer import KubernetesWriter
from tests.unit.kubernetes.api_server import Answer, refusal
from tests.unit.kubernetes.cluster import Cluster, connect
from tests.unit.kubernetes.observed import Raw

CORE = "/api/v1/namespaces/shop"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
SERVICE = f"{CORE}/services/web"
SCALERS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"


class World:
    """The cluster, a Writer on it, and what a command would do with both."""

    def __init__(self, cluster: Cluster, folder: Path, *, force: bool = False) -> None:
        self.cluster = cluster
        reading = connect(cluster, folder)
        self.reader = KubernetesReader(reading)
        self.writer = KubernetesWriter(reading, self.reader, lambda: None, force_conflicts=force)

    @property
    def deployment(self) -> Raw:
        return self.cluster.objects[WEB]

    @property
    def expect(self) -> str:
        live = self.reader.live("shop", ["web"])
        return live["web"].expect if live else ""

    def deploy(self, service: Service, *, revision: int = 1, expect: str | None = None) -> Handle:
        plan = Plan(
            service=service,
            backend="kubernetes",
            context="k",
            template_hash=template_hash(service, "kubernetes"),
            spec_hash="",
            expect=self.expect if expect is None else expect,
        )
        secrets: dict[SecretRef, Secret] = {ref: Secret(ref.name.encode()) for ref in provider_refs(service)}
        return self.writer.apply(plan, revision=revision, secrets=secrets)

    def wrote(self, since: int = 0) -> list[str]:
        """Every change since the one of that number, in words: ``PATCH services/web``."""
        return [f"{m} {'/'.join(path.split('/')[-2:])}" for m, path, _ in self.cluster.writes[since:]]

    def meanwhile(self, patch: Raw) -> None:
        """Somebody changes the Deployment just before our next write arrives."""
        self.cluster.before = [lambda: self.cluster.change(WEB, patch)]


def conflict(*managers: str) -> Answer:
    """What an apply is answered with when each of ``managers`` has set the count to something else."""
    causes: list[dict[str, Any]] = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {manager} using apps/v1",
            "field": ".spec.replicas",
        }
        for manager in managers
    ]
    return 409, refusal(409, "Apply failed", "Conflict", causes=causes, kind="deployments", name="web")
