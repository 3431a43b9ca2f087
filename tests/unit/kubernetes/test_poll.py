"""One look during a rollout, through requests: what only events tell, asked for and only where it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.core.context import Context
from orchctl.core.rollout import FailureKind, Handle, Progress
from orchctl_kubernetes import reader as module
from orchctl_kubernetes.client import Reading
from orchctl_kubernetes.reader import KubernetesReader
from orchctl_kubernetes.target import resolve
from tests.unit.kubernetes.api_server import Answer, Server, kubeconfig, running
from tests.unit.kubernetes.observed import MADE, Raw, deployment, pod, replica_set

HANDLE = Handle(backend="kubernetes", namespace="shop", service="web", template_hash="t1", replicas=2)
WORDS = "Readiness probe failed: HTTP probe failed with statuscode: 503"
EVENT = {"metadata": {"name": "e"}, "type": "Warning", "reason": "Unhealthy", "message": WORDS, "lastTimestamp": MADE}
QUOTA = 'pods "web-1-b" is forbidden: exceeded quota: few'


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as found:
        yield found


def asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SILENT_S", 0.0)


def poll(server: Server, folder: Path, **objects: list[Raw]) -> Progress:
    def reply(_method: str, path: str) -> Answer:
        kind = path.partition("?")[0].rpartition("/")[2]
        return 200, {"items": objects[kind]}

    server.reply = reply
    path = kubeconfig(folder / "kubeconfig", server.url)
    context = Context(name="k", backend="kubernetes", state_dir=folder, settings={"kubeconfig": str(path)})
    return KubernetesReader(Reading(resolve(context, {}))).poll(HANDLE)


def kinds_asked(server: Server) -> list[str]:
    return [path.partition("?")[0].rpartition("/")[2] for _, path, _, _ in server.seen]


def refused() -> Raw:
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA}
    return deployment(2, updatedReplicas=1, conditions=[condition])


def test_a_pod_that_is_not_ready_for_long_says_what_its_check_found(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_at_once(monkeypatch)
    found = {"deployments": [deployment(1)], "replicasets": [replica_set()], "pods": [pod(ready=False)]}
    (instance,) = poll(server, tmp_path, **found, events=[EVENT]).instances
    assert instance.problem is not None
    assert (instance.problem.kind, instance.problem.message) == (FailureKind.UNHEALTHY, WORDS)


def test_nobody_asks_for_events_before(server: Server, tmp_path: Path) -> None:
    found = {"deployments": [deployment(1)], "replicasets": [replica_set()], "pods": [pod(ready=False)]}
    assert [i.problem for i in poll(server, tmp_path, **found).instances] == [None]
    assert kinds_asked(server) == ["deployments", "replicasets", "pods"]


def test_a_quota_that_says_no_is_not_hidden_behind_a_check(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instances' own troubles explain a verdict where there are any; a check that is not good yet is none."""
    asked_at_once(monkeypatch)
    found = {"deployments": [refused()], "replicasets": [replica_set()], "pods": [pod(ready=False)]}
    seen = poll(server, tmp_path, **found, events=[EVENT])
    assert seen.verdict is not None
    assert seen.verdict.message == QUOTA
    assert [i.problem for i in seen.instances] == [None]
