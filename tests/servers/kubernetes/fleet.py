"""A namespace full of services, as deploys of orchctl would have left them, without the time that those would take."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchctl.core.context import Context
from orchctl.core.document import spec_hash, template_hash
from orchctl.core.registry import load
from orchctl.core.revision import Revision, RevisionStatus
from orchctl.core.service import Service
from orchctl.engine.history import Records
from tests.servers.kubernetes.api import Api
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.kubernetes.kwok import CRASH, MISSING, UNREADY
from tests.servers.waiting import until

_WRITERS = 8
_FILL_SECONDS = 300.0


def services(namespace: str, count: int, *, replicas: int) -> list[Service]:
    """``s0``, ``s1`` ... without ports: a cluster of the tests has addresses for 250 Services."""
    return [Service(name=f"s{n}", namespace=namespace, image="web:1", replicas=replicas) for n in range(count)]


def fill(cluster: Cluster, fleet: Sequence[Service]) -> None:
    """Objects and records of ``fleet``, all of one namespace; over when every pod is as its image's tag says."""
    api, namespace = cluster.api, fleet[0].namespace
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    backend = load("kubernetes")
    with backend.connect(context(cluster, namespace)) as connection, ThreadPoolExecutor(_WRITERS) as pool:

        def leave(service: Service) -> None:
            records = Records(connection.store, namespace, service.name)
            records.mark(records.create(_first(service), {"token": "harness"}), RevisionStatus.DEPLOYED)
            for native in backend.render(service):
                api.apply(dict(native.body), manager="orchctl")

        for _ in pool.map(leave, fleet):
            """Errors come out here."""
    good, bad = _wanted(fleet)
    told = f"{good} available and {bad} failing pods"
    until(told, lambda: _counts(api, namespace) == (good, bad), seconds=_FILL_SECONDS, every=2)


def context(cluster: Cluster, namespace: str, state_dir: Path | None = None) -> Context:
    """An administrator's."""
    settings = {"kubeconfig": str(cluster.admin)}
    folder = state_dir or cluster.root / "state"
    return Context(name="kubernetes", backend="kubernetes", state_dir=folder, namespace=namespace, settings=settings)


def _first(service: Service) -> Revision:
    return Revision(
        number=1,
        service=service,
        template_hash=template_hash(service, "kubernetes"),
        spec_hash=spec_hash(service),
        replicas=service.replicas or 0,
        created_at="2026-11-25T00:00:00Z",
        created_by="harness",
    )


def _wanted(fleet: Sequence[Service]) -> tuple[int, int]:
    """Pods that will be available, pods that will not."""
    bad = [s for s in fleet if str(s.image).rpartition(":")[2] in (MISSING, CRASH, UNREADY)]
    failing = sum(s.replicas or 0 for s in bad)
    return sum(s.replicas or 0 for s in fleet) - failing, failing


def _counts(api: Api, namespace: str) -> tuple[int, int]:
    """The same, now."""
    found = [d.get("status", {}) for d in api.items("deployments", namespace)]
    return sum(s.get("availableReplicas", 0) for s in found), sum(s.get("unavailableReplicas", 0) for s in found)
