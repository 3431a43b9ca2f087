"""What commands on Kubernetes import of its client library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.servers.kubernetes import images
from tests.servers.kubernetes.cluster import Cluster

pytestmark = pytest.mark.world_kubernetes

NAMESPACE = "imports"
SPEC = f"""\
apiVersion: orchctl.dev/v1
name: web
image: {images.IMAGE}
command: [sh, -c, "trap 'exit 0' TERM; sleep 3600 & wait"]
replicas: 1
rollout: {{min_ready: 0s}}
"""
# Runs a command of orchctl, then tells what of the SDK was imported on the way.
_IMPORTS = """
import json, sys
from orchctl.boot import main
try:
    code = main()
except SystemExit as end:
    code = end.code
names = [n for n in sys.modules if n.startswith(("kubernetes.client.models.", "kubernetes.client.api."))]
print("imported", json.dumps([code, sorted(names)]), file=sys.stderr)
"""


def test_no_command_imports_the_models_of_the_sdk(own_kubernetes: Cluster, tmp_path: Path) -> None:
    """They are 845 classes, which take a second to import; the package that holds them is only an index."""
    spec = tmp_path / "orch.yaml"
    spec.write_text(SPEC)
    own = {"KUBECONFIG": str(own_kubernetes.admin), "ORCHCTL_STATE_DIR": str(tmp_path), "ORCHCTL_CONFIG": os.devnull}
    environment = os.environ | own
    assert imported(environment, "deploy", "-f", str(spec), "--create-namespace") == [0, []]
    for words in (["plan", "-f", str(spec)], ["status"], ["discover", "web"], ["logs", "web"], ["scale", "web=2"]):
        assert imported(environment, *words) == [0, []]
    assert imported(environment, "delete", "web", "--yes") == [0, []]


def imported(environment: Mapping[str, str], *words: str) -> list[Any]:
    """[exit code, modules of the SDK's typed API] of a command."""
    place = ["--backend", "kubernetes", "-n", NAMESPACE]
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS, *words, *place],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "imported " in done.stderr, done.stderr
    told: list[Any] = json.loads(done.stderr.rpartition("imported ")[2])
    return told
