"""kill -9 of the command at any request or durable step, then the same command again, on Marathon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.core.revision import RevisionStatus
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.contract.kills import Shell, chosen
from tests.servers.marathon import Marathon
from tests.worlds.marathon import MarathonWorld, images

pytestmark = pytest.mark.world_marathon

SPEC = """\
apiVersion: orchctl.dev/v1
name: web
replicas: 1
command: {command}
env: {{GREETING: "${{GREETING}}"}}
ports: [{{name: http, port: 8080}}]
health: {{ready: {{http: {{port: http}}, interval: 1s}}}}
rollout: {{min_ready: 100ms, deadline: 3m}}
stop: {{grace: 2s, drain: 0s}}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MarathonWorld]:
    with Marathon(images=images(), features=("task_killing",)) as server:
        yield MarathonWorld(server, server.url, server.mesos_url, tmp_path)


@pytest.fixture
def shell(world: MarathonWorld, tmp_path: Path) -> Shell:
    command = json.dumps(list(world.service().command)).replace("$", "$$")
    spec = tmp_path / "web.orch.yaml"
    spec.write_text(SPEC.format(command=command), "utf-8")
    config = tmp_path / "config.toml"
    urls = json.dumps(world.context.settings["urls"])
    config.write_text(f'[contexts.here]\nbackend = "marathon"\nurls = {urls}\n', "utf-8")
    return Shell(spec, config, tmp_path / "state")


def twice(shell: Shell, at: int, *words: str, greeting: str = "one") -> int:
    """Killed at step ``at``, then again; the exit code of the second."""
    killed = shell.run(*words, greeting=greeting, kill_at=at)
    assert killed.returncode in (-9, 0), killed.stderr
    again = shell.run(*words, greeting=greeting)
    assert "Traceback" not in again.stderr
    assert again.returncode in (0, 4), again.stderr
    return again.returncode


def check_history(world: MarathonWorld) -> None:
    history = Driver(world).history("web")
    numbers = [r.revision.number for r in history]
    assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))
    assert [r.status for r in history].count(RevisionStatus.DEPLOYED) == 1
    assert RevisionStatus.PENDING not in [r.status for r in history]


def test_a_killed_update_is_finished_by_the_same_command(shell: Shell, world: MarathonWorld) -> None:
    deploy = ("deploy", "-f", str(shell.spec))
    assert shell.deploy("zero").returncode == 0
    steps = shell.steps_of(*deploy, greeting="one")
    assert len(steps) > 20
    for number, at in enumerate(chosen(steps, 5)):
        assert twice(shell, at, *deploy, greeting=f"g{number}") == 0
        assert greetings(world.truth("web")) == [f"g{number}"]
        check_history(world)


def test_a_killed_scale_is_finished_by_the_same_command(shell: Shell, world: MarathonWorld) -> None:
    assert shell.deploy("one").returncode == 0
    steps = shell.steps_of("scale", "web=2", greeting="one")
    for at in chosen(steps, 3):
        count = 1 + len(world.truth("web").running) % 2
        assert twice(shell, at, "scale", f"web={count}") == 0
        assert greetings(world.truth("web")) == ["one"] * count
        check_history(world)


def test_a_killed_rollback_is_finished_by_the_same_command(shell: Shell, world: MarathonWorld) -> None:
    for greeting in ("one", "two"):
        assert shell.deploy(greeting).returncode == 0
    steps = shell.steps_of("rollback", "web", "--to", "1", "--yes", greeting="two")
    for number, at in enumerate(chosen(steps, 7)):
        to, greeting = (("2", "two"), ("1", "one"))[number % 2]
        assert twice(shell, at, "rollback", "web", "--to", to, "--yes") == 0
        assert greetings(world.truth("web")) == [greeting]
        check_history(world)


def test_a_killed_delete_is_finished_by_the_same_command(shell: Shell, world: MarathonWorld) -> None:
    assert shell.deploy("one").returncode == 0
    steps = shell.steps_of("delete", "web", "--yes", greeting="one")
    for at in chosen(steps, 2):
        assert shell.deploy("one").returncode == 0
        twice(shell, at, "delete", "web", "--yes")
        assert world.truth("web").leftovers == ()
        assert world.truth("web").running == {}
