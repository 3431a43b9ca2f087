"""kill -9 of the command at any durable step, then the same command again, on real processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl_local.layout import FILES, TREES
from tests.contract.kills import Shell, chosen
from tests.worlds.local import LocalWorld

pytestmark = pytest.mark.world_local

SPEC = """\
apiVersion: orchctl.dev/v1
name: web
replicas: 2
command: {command}
env: {{GREETING: "${{GREETING}}"}}
ports: [{{name: http, port: 8080}}]
health: {{ready: {{http: {{port: http}}, interval: 200ms}}}}
rollout: {{min_ready: 100ms, deadline: 3m}}
stop: {{grace: 2s, drain: 0s}}
"""


@pytest.fixture
def shell(local_world: LocalWorld, tmp_path: Path) -> Shell:
    command = json.dumps(list(local_world.service().command))
    spec = tmp_path / "web.orch.yaml"
    spec.write_text(SPEC.format(command=command.replace("$", "$$")), "utf-8")
    (tmp_path / "config.toml").write_text('[contexts.here]\nbackend = "local"\n', "utf-8")
    return Shell(spec, tmp_path / "config.toml", local_world.context.state_dir)


def check(world: LocalWorld, greeting: str) -> None:
    assert greetings(world.truth("web")) == [greeting, greeting]
    history = Driver(world).history("web")
    numbers = [r.revision.number for r in history]
    assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))
    assert set(os.listdir(world.root)) <= {*TREES, *FILES}
    assert {p.suffix for p in (world.root / "desired").rglob("*.*")} == {".json"}, "what is half written lies in tmp"


def test_a_killed_update_is_finished_by_the_same_command(shell: Shell, local_world: LocalWorld) -> None:
    assert shell.deploy("zero").returncode == 0
    steps = shell.steps_of("deploy", "-f", str(shell.spec), greeting="one")
    for number, at in enumerate(chosen(steps, 3)):
        greeting = f"g{number}"
        killed = shell.deploy(greeting, kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.deploy(greeting)
        assert again.returncode == 0, again.stderr
        check(local_world, greeting)


def test_a_killed_first_deploy_is_finished_by_the_same_command(shell: Shell, local_world: LocalWorld) -> None:
    steps = shell.steps_of("deploy", "-f", str(shell.spec), greeting="one")
    for at in chosen(steps, 1):
        assert shell.run("delete", "web", "--yes").returncode == 0
        killed = shell.deploy("two", kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.deploy("two")
        assert again.returncode == 0, again.stderr
        check(local_world, "two")


def test_a_killed_delete_is_finished_by_the_same_command(shell: Shell, local_world: LocalWorld) -> None:
    assert shell.deploy("one").returncode == 0
    steps = shell.steps_of("delete", "web", "--yes", greeting="one")
    for at in chosen(steps, 2):
        assert shell.deploy("one").returncode == 0
        killed = shell.run("delete", "web", "--yes", kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.run("delete", "web", "--yes")
        assert again.returncode in (0, 4), again.stderr
        assert list(local_world.processes()) == []
        assert local_world.truth("web").leftovers == ()
    local_world.wait(lambda: not local_world.daemon())
    assert not local_world.root.exists()


def test_a_killed_rollback_is_finished_by_the_same_command(shell: Shell, local_world: LocalWorld) -> None:
    for greeting in ("one", "two"):
        assert shell.deploy(greeting).returncode == 0
    steps = shell.steps_of("rollback", "web", "--yes", greeting="one")
    for at in chosen(steps, 5):
        assert shell.deploy("two").returncode == 0
        history = Driver(local_world).history("web")
        one = str(next(r.revision.number for r in history if r.revision.service.env["GREETING"] == "one"))
        killed = shell.run("rollback", "web", "--to", one, "--yes", kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.run("rollback", "web", "--to", one, "--yes")
        assert again.returncode == 0, again.stderr
        check(local_world, "one")
