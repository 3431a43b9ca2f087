"""kill -9 of the command at any request or durable step, then the same command again, on a real Swarm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchctl.core.revision import RevisionStatus
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.contract.kills import SHARE, Shell, chosen
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
rollout: {{min_ready: 100ms, deadline: 60s}}
stop: {{grace: 2s, drain: 0s}}
backends: {{swarm: {{resolve_image: never}}}}
"""


@pytest.fixture
def shell(swarm_world: SwarmWorld, tmp_path: Path) -> Shell:
    service = swarm_world.service()
    command, args = (json.dumps(list(words)).replace("$", "$$") for words in (service.command, service.args))
    spec = tmp_path / "web.orch.yaml"
    spec.write_text(SPEC.format(image=IMAGE, command=command, args=args), "utf-8")
    config = tmp_path / "config.toml"
    config.write_text(f'[contexts.here]\nbackend = "swarm"\nhost = "unix://{swarm_world.proxy.path}"\n', "utf-8")
    return Shell(spec, config, tmp_path / "state")


def test_a_killed_update_is_finished_by_the_same_command(shell: Shell, swarm_world: SwarmWorld) -> None:
    assert shell.deploy("zero").returncode == 0
    steps = shell.steps_of("deploy", "-f", str(shell.spec), greeting="one")
    for number, at in enumerate(chosen(steps, 5, max(6, SHARE // 2))):
        greeting = f"g{number}"
        killed = shell.deploy(greeting, kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.deploy(greeting)
        assert again.returncode == 0, again.stderr
        assert greetings(swarm_world.truth("web")) == [greeting, greeting]
        history = Driver(swarm_world).history("web")
        numbers = [r.revision.number for r in history]
        assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))
        assert [r.status for r in history].count(RevisionStatus.DEPLOYED) == 1


def test_a_killed_delete_is_finished_by_the_same_command(shell: Shell, swarm_world: SwarmWorld) -> None:
    assert shell.deploy("one").returncode == 0
    steps = shell.steps_of("delete", "web", "--yes", greeting="one")
    for at in chosen(steps, 2, max(6, SHARE // 2)):
        assert shell.deploy("one").returncode == 0
        killed = shell.run("delete", "web", "--yes", kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.run("delete", "web", "--yes")
        assert again.returncode in (0, 4), again.stderr
        assert swarm_world.truth("web").leftovers == ()
