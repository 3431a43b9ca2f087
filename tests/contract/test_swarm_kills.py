"""kill -9 of the command at any request or durable step, then the same command again, on a real Swarm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.kills import KillContract, Shell
from tests.servers.image import IMAGE
from tests.worlds.swarm import SwarmWorld

pytestmark = pytest.mark.world_swarm

SPEC = """\
apiVersion: orchctl.dev/v1
name: web
image: "{image}"
replicas: 2
command: {command}
args: {args}
env: {{GREETING: "${{GREETING}}"}}
ports: [{{name: http, port: 8080}}]
health: {{ready: {{http: {{port: http}}, interval: 200ms, failures: 20}}}}
rollout: {{min_ready: 100ms, deadline: 3m}}
stop: {{grace: 2s, drain: 0s}}
backends: {{swarm: {{resolve_image: never}}}}
"""


@pytest.fixture
def world(swarm_world: SwarmWorld) -> SwarmWorld:
    return swarm_world


@pytest.fixture
def shell(world: SwarmWorld, tmp_path: Path) -> Shell:
    service = world.service()
    command, args = (json.dumps(list(words)).replace("$", "$$") for words in (service.command, service.args))
    spec = tmp_path / "web.orch.yaml"
    spec.write_text(SPEC.format(image=IMAGE, command=command, args=args), "utf-8")
    config = tmp_path / "config.toml"
    config.write_text(f'[contexts.here]\nbackend = "swarm"\nhost = "unix://{world.proxy.path}"\n', "utf-8")
    return Shell(spec, config, tmp_path / "state")


class TestKills(KillContract): ...
