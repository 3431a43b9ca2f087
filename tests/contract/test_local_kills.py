"""kill -9 of the command at any durable step, then the same command again, on real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.worlds.local import LocalWorld

pytestmark = pytest.mark.world_local

SHARE = int(os.environ.get("ORCHCTL_TEST_KILLS", "12"))
"""How many of the steps are tried, spread evenly and moved by the operation, so that no two try the same ones."""

SPEC = """\
apiVersion: orchctl.dev/v1
name: web
replicas: 2
command: {command}
env: {{GREETING: "${{GREETING}}"}}
ports: [{{name: http, port: 8080}}]
health: {{ready: {{http: {{port: http}}, interval: 200ms}}}}
rollout: {{min_ready: 100ms, deadline: 30s}}
stop: {{grace: 2s, drain: 0s}}
"""


@dataclass(frozen=True)
class Shell:
    """Runs orchctl as a process of its own, perhaps killed on the way."""

    world: LocalWorld
    spec: Path

    def run(self, *words: str, greeting: str = "one", kill_at: int = -1) -> subprocess.CompletedProcess[str]:
        script = [sys.executable, str(Path(__file__).parent / "kill_at.py"), str(kill_at), *words]
        env = {
            **os.environ,
            "ORCHCTL_STATE_DIR": str(self.world.context.state_dir),
            "ORCHCTL_CONFIG": str(self.spec.parent / "config.toml"),
            "GREETING": greeting,
        }
        return subprocess.run(
            [*script, "-n", "test", "--context", "here"],
            env=env,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def deploy(self, greeting: str, *, kill_at: int = -1) -> subprocess.CompletedProcess[str]:
        return self.run("deploy", "-f", str(self.spec), greeting=greeting, kill_at=kill_at)


@pytest.fixture
def shell(local_world: LocalWorld, tmp_path: Path) -> Shell:
    command = json.dumps(list(local_world.service().command))
    spec = tmp_path / "web.orch.yaml"
    spec.write_text(SPEC.format(command=command.replace("$", "$$")), "utf-8")
    (tmp_path / "config.toml").write_text('[contexts.here]\nbackend = "local"\n', "utf-8")
    return Shell(local_world, spec)


def steps_of(shell: Shell, *words: str, greeting: str) -> int:
    done = shell.run(*words, greeting=greeting, kill_at=0)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.strip().split("\n")[-1])


def chosen(steps: int, offset: int) -> list[int]:
    stride = max(1, steps // SHARE)
    return list(range(1 + offset % stride, steps + 1, stride))


def check(shell: Shell, greeting: str) -> None:
    world = shell.world
    assert greetings(world.truth("web")) == [greeting, greeting]
    history = Driver(world).history("web")
    numbers = [r.revision.number for r in history]
    assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))
    assert [p for p in world.root.rglob("*") if p.name.endswith((".tmp", "~"))] == []


def test_a_killed_update_is_finished_by_the_same_command(shell: Shell) -> None:
    assert shell.deploy("zero").returncode == 0
    steps = steps_of(shell, "deploy", "-f", str(shell.spec), greeting="one")
    for number, at in enumerate(chosen(steps, 3)):
        greeting = f"g{number}"
        killed = shell.deploy(greeting, kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.deploy(greeting)
        assert again.returncode == 0, again.stderr
        check(shell, greeting)


def test_a_killed_first_deploy_is_finished_by_the_same_command(shell: Shell) -> None:
    steps = steps_of(shell, "deploy", "-f", str(shell.spec), greeting="one")
    for at in chosen(steps, 1):
        assert shell.run("delete", "web", "--yes").returncode == 0
        killed = shell.deploy("two", kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.deploy("two")
        assert again.returncode == 0, again.stderr
        check(shell, "two")


def test_a_killed_delete_is_finished_by_the_same_command(shell: Shell) -> None:
    assert shell.deploy("one").returncode == 0
    steps = steps_of(shell, "delete", "web", "--yes", greeting="one")
    for at in chosen(steps, 2):
        assert shell.deploy("one").returncode == 0
        killed = shell.run("delete", "web", "--yes", kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.run("delete", "web", "--yes")
        assert again.returncode in (0, 4), again.stderr
        assert list(shell.world.processes()) == []
        assert shell.world.truth("web").leftovers == ()
    shell.world.wait(lambda: not shell.world.daemon())
    assert not shell.world.root.exists()


def test_a_killed_rollback_is_finished_by_the_same_command(shell: Shell) -> None:
    for greeting in ("one", "two"):
        assert shell.deploy(greeting).returncode == 0
    steps = steps_of(shell, "rollback", "web", "--yes", greeting="one")
    for at in chosen(steps, 5):
        assert shell.deploy("two").returncode == 0
        history = Driver(shell.world).history("web")
        one = str(next(r.revision.number for r in history if r.revision.service.env["GREETING"] == "one"))
        killed = shell.run("rollback", "web", "--to", one, "--yes", kill_at=at)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.run("rollback", "web", "--to", one, "--yes")
        assert again.returncode == 0, again.stderr
        check(shell, "one")
