"""Both ends of the range of client libraries: everything else runs on the newest, this on the oldest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.kubernetes.oldest_client import VERSION, environment
from tests.worlds.kubernetes import KubernetesWorld

pytestmark = pytest.mark.world_kubernetes

ROOT = Path(__file__).parents[2]
SPEC = """\
apiVersion: orchctl.dev/v1
name: web
image: "{image}"
command: [sh, -c, "echo $$GREETING; exec sleep 3600"]
replicas: 2
env: {{GREETING: "${{GREETING:-one}}"}}
ports: [{{name: http, port: 8080}}]
rollout: {{min_ready: 100ms}}
stop: {{grace: 1s, drain: 0s}}
"""


def python(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment() | environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_credentials_certificates_and_answers_are_the_same() -> None:
    """No cluster is needed for these: the tests of the client, once more."""
    assert python("-c", "import kubernetes; print(kubernetes.__version__)").stdout.strip() == VERSION
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/kubernetes/test_client.py")
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_main_job(kubernetes_world: KubernetesWorld, tmp_path: Path) -> None:
    spec, config = tmp_path / "web.orch.yaml", tmp_path / "config.toml"
    spec.write_text(SPEC.format(image=kubernetes_world.image), "utf-8")
    config.write_text(
        f'[contexts.here]\nbackend = "kubernetes"\nkubeconfig = "{kubernetes_world.kubeconfig}"\n', "utf-8"
    )
    here = {"ORCHCTL_STATE_DIR": str(tmp_path / "state"), "ORCHCTL_CONFIG": str(config), "ORCHCTL_CONTEXT": "here"}

    def orchctl(*words: str, **environ: str) -> str:
        done = python("-m", "orchctl", *words, "-n", "test", **here, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "converged" in orchctl("deploy", "-f", str(spec))
    assert "unchanged" in orchctl("deploy", "-f", str(spec))
    assert "converged" in orchctl("deploy", "-f", str(spec), GREETING="two")
    assert "3/3" in orchctl("scale", "web=3")
    assert "two" in orchctl("logs", "web")
    assert orchctl("discover", "web", "-o", "name").count(":8080") == 3
    assert "converged" in orchctl("rollback", "web", "--yes")
    assert "deleted" in orchctl("delete", "web", "--yes")
