"""What the pages say about Kubernetes, the demo and every example, on a real one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages_of, run, run_page
from tests.servers.kubernetes.api import path_of
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.kubernetes.images import IMAGE
from tests.servers.waiting import until

pytestmark = [pytest.mark.world_kubernetes, pytest.mark.xdist_group("pages")]


@pytest.fixture
def environ(own_kubernetes: Cluster) -> Iterator[dict[str, str]]:
    """An administrator's kubeconfig, and an image that the node has."""
    images = dict.fromkeys(("HELLO_IMAGE", "SHOP_IMAGE", "KEEPER_IMAGE", "WORKER_IMAGE"), IMAGE)
    yield {"KUBECONFIG": str(own_kubernetes.admin), **images}
    for kind in ("persistentvolumeclaims", "rolebindings", "roles", "serviceaccounts"):
        own_kubernetes.api.delete(path_of(kind, "default"), labelSelector="app.kubernetes.io/managed-by=orchctl")


def nothing_is_left(cluster: Cluster) -> bool:
    kinds = ("deployments", "replicasets", "configmaps", "secrets", "leases")
    ours = {"labelSelector": "app.kubernetes.io/managed-by=orchctl"}
    return not any(cluster.api.items(kind, space, **ours) for kind in kinds for space in ("default", "shop"))


@pytest.mark.parametrize("page", pages_of("kubernetes"))
def test_the_kubernetes_blocks_of_a_page_run(
    own_kubernetes: Cluster, environ: dict[str, str], tmp_path: Path, page: str
) -> None:
    if page == "README.md" and not shutil.which("kubectl"):
        pytest.skip("README hands the Role to kubectl, which is not on the path")
    said = run_page(page, "kubernetes", tmp_path / "page", environ)
    assert "converged" in said
    until("nothing left", lambda: nothing_is_left(own_kubernetes))
    assert not (tmp_path / "page-state" / "local").exists()
    if page == "docs/tutorials/kubernetes.md":
        assert "exit code 8\n" in said
        assert "boom: no database" in said
    if page == "README.md":
        assert "rolebinding.rbac.authorization.k8s.io/orchctl" in said


@pytest.mark.soak
def test_the_demo_runs(tmp_path: Path) -> None:
    """What ``make demo-kubernetes`` runs, with orchctl already installed; it starts and stops a cluster of its own."""
    state = {"ORCHCTL_DEMO_DIR": str(tmp_path)}
    said = run("sh docs/demo.sh kubernetes", cwd=ROOT, state=tmp_path / "state", environ=state)
    assert "exit code 8, as promised" in said
    assert "boom: no database" in said
    assert "exit code 4, as promised" in said
    assert said.count("answers: hello again") >= 3


@pytest.mark.parametrize(
    "example", [pytest.param("shop.yaml", marks=pytest.mark.soak), "overlay.orch.yaml", "secrets.yaml"]
)
def test_the_examples_run(own_kubernetes: Cluster, environ: dict[str, str], tmp_path: Path, example: str) -> None:
    path = f"specs/examples/{example}"
    script = f"orchctl deploy -f {path} --backend kubernetes --create-namespace\norchctl delete -f {path} --backend kubernetes --yes"
    environ["KEEPER_TOKEN"] = "not-so-secret"
    said = run(script, cwd=ROOT, state=tmp_path / "state", environ=environ)
    assert "not-so-secret" not in said
    until("nothing left", lambda: nothing_is_left(own_kubernetes))
