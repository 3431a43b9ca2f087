"""orchctl in a pod of the cluster that it deploys to: the pod's own ServiceAccount, and the cluster's own address."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchctl.testing.driver import Driver
from tests.worlds.kubernetes import NAMESPACE, KubernetesWorld

pytestmark = pytest.mark.world_kubernetes

# Kubernetes mounts token and authority there; a mount namespace of its own leaves this machine's directory alone.
_MOUNTED = "/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


def inside(world: KubernetesWorld, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """orchctl with what a pod of the namespace finds."""
    places = world.own("the address of the API server for pods").places
    token = yaml.safe_load(world.kubeconfig.read_text("utf-8"))["users"][0]["user"]["token"]
    (folder / "token").write_text(token, "utf-8")
    (folder / "ca.crt").write_bytes((places.pki / "ca.crt").read_bytes())
    (folder / "namespace").write_text(NAMESPACE, "utf-8")
    copied = " ".join(shlex.quote(str(folder / name)) for name in ("token", "ca.crt", "namespace"))
    mounted = f"mount -t tmpfs none /run && mkdir -p {_MOUNTED} && cp {copied} {_MOUNTED}"
    command = shlex.join([sys.executable, "-m", "orchctl", *words, "--backend", "kubernetes", "-n", NAMESPACE])
    environ = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"} | {
        "HOME": str(folder),
        "KUBERNETES_SERVICE_HOST": places.kubernetes_service,
        "KUBERNETES_SERVICE_PORT": "443",
        "ORCHCTL_CONFIG": os.devnull,
    }
    unshared = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f"{mounted} && exec {command}"]
    return subprocess.run(unshared, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_pods_own_account_is_used(kubernetes_world: KubernetesWorld, driver: Driver, tmp_path: Path) -> None:
    driver.deploy(kubernetes_world.service())
    status = inside(kubernetes_world, tmp_path, "status", "-o", "name")
    assert (status.returncode, status.stdout.strip()) == (0, "web"), status.stderr
    scaled = inside(kubernetes_world, tmp_path, "scale", "web=3")
    assert scaled.returncode == 0, scaled.stderr
    assert "the pod's own ServiceAccount" in scaled.stderr
    assert driver.status("web").ready == 3
