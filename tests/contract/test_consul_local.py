"""Real processes of the local backend, their records and leases in a real Consul.

The local kit and the one of ``test_consul.py`` are in every gate; both at once are for a soak, but for races and kills.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.core.revision import RevisionStatus
from orchctl.testing import contract
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.contract.kills import Shell, chosen
from tests.servers.consul.agent import Consul
from tests.worlds.consul import LocalWorldInConsul

pytestmark = pytest.mark.world_consul


@pytest.fixture
def world(consul: Consul, tmp_path: Path) -> Iterator[LocalWorldInConsul]:
    if sys.platform != "linux":
        pytest.skip("the truth about processes is read from /proc")
    world = LocalWorldInConsul(consul, tmp_path)
    yield world
    world.close()


@pytest.mark.soak
class TestDeploy(contract.DeployContract): ...


@pytest.mark.soak
class TestFailure(contract.FailureContract): ...


class TestRace(contract.RaceContract): ...


SPEC = """\
name: web
replicas: 2
command: {command}
env: {{GREETING: "${{GREETING}}"}}
ports: [{{name: http, port: 8080}}]
health: {{ready: {{http: {{port: http}}, interval: 200ms}}}}
rollout: {{min_ready: 100ms, deadline: 3m}}
stop: {{grace: 2s, drain: 0s}}
"""


def test_a_killed_update_is_finished_by_the_same_command_without_a_wait_for_the_lock(
    world: LocalWorldInConsul, tmp_path: Path
) -> None:
    """kill -9 before and after requests to Consul, among the other durable steps; the dead one's session lives on."""
    shell = in_a_shell(world, tmp_path)
    assert shell.deploy("zero").returncode == 0
    steps = shell.steps_of("deploy", "-f", str(shell.spec), greeting="one")
    ends = []
    for number, at in enumerate(chosen(steps, 3)):
        greeting = f"g{number}"
        killed = shell.deploy(greeting, kill_at=at)
        ends.append(killed.returncode)
        assert killed.returncode in (-9, 0), killed.stderr
        again = shell.run("deploy", "-f", str(shell.spec), "--lock-timeout", "0s", greeting=greeting)
        assert again.returncode == 0, again.stderr
        assert greetings(world.truth("web")) == [greeting, greeting]
        history = Driver(world).history("web")
        assert [r.revision.number for r in history] == list(range(history[0].revision.number, 0, -1))[: len(history)]
        assert [r.status for r in history].count(RevisionStatus.DEPLOYED) == 1
    assert ends.count(-9) > len(ends) / 2


def in_a_shell(world: LocalWorldInConsul, folder: Path) -> Shell:
    spec, config = folder / "web.orch.yaml", folder / "config.toml"
    spec.write_text(SPEC.format(command=json.dumps(list(world.service().command)).replace("$", "$$")), "utf-8")
    config.write_text(
        f'[contexts.here]\nbackend = "local"\ncatalog = "main"\nstore = "consul"\ncluster = "{world.context.cluster}"\n'
        f'[catalogs.main]\nconsul = "{world.front.url}"\n'
    )
    return Shell(spec, config, world.context.state_dir)


def test_nothing_of_the_records_stays_with_the_backend(world: LocalWorldInConsul) -> None:
    Driver(world).deploy(world.service())
    assert list(world.root.glob("store/*")) == []
    assert len(world.records.of("test", "web")) == 2
