"""kill -9 of the command at any request or durable step, then the same command again, on a real Kubernetes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.kills import KillContract, Shell
from tests.worlds.kubernetes import KubernetesWorld

pytestmark = pytest.mark.world_kubernetes

SPEC = """\
apiVersion: orchctl.dev/v1
name: web
image: "{image}"
replicas: 2
command: {command}
args: {args}
env: {{GREETING: "${{GREETING}}"}}
ports: [{{name: http, port: 8080}}]
files: {{/etc/motd: {{content: "${{GREETING}}"}}}}
health: {{ready: {{http: {{port: http}}, interval: 1s}}}}
rollout: {{min_ready: 100ms, deadline: 3m}}
stop: {{grace: 2s, drain: 0s}}
"""


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


@pytest.fixture
def shell(world: KubernetesWorld, tmp_path: Path) -> Shell:
    service = world.service()
    command, args = (json.dumps(list(words)).replace("$", "$$") for words in (service.command, service.args))
    spec = tmp_path / "web.orch.yaml"
    spec.write_text(SPEC.format(image=service.image, command=command, args=args), "utf-8")
    config = tmp_path / "config.toml"
    config.write_text(f'[contexts.here]\nbackend = "kubernetes"\nkubeconfig = "{world.kubeconfig}"\n', "utf-8")
    return Shell(spec, config, tmp_path / "state")


class TestKills(KillContract): ...
