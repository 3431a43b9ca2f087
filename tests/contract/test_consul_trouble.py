"""Consul dies, hangs and comes back while somebody deploys: the right exit code, never a blend, no lock for ever."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import Event, EventKind, OutcomeState
from orchctl.core.service import Service
from orchctl.engine.holder import this_process
from orchctl.errors import OrchctlError
from orchctl.testing import contract
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.children import limited
from tests.pace import promised, slowness
from tests.servers.consul.agent import Consul
from tests.servers.consul.front import Answered, Asked, Strike
from tests.worlds.consul import SideBySide

pytestmark = pytest.mark.world_consul


@pytest.fixture
def world(consul: Consul, tmp_path: Path) -> Iterator[SideBySide]:
    world = SideBySide(consul, tmp_path)
    yield world
    world.close()


@pytest.fixture
def shaken(own_consul: Consul, tmp_path: Path) -> SideBySide:
    """On a Consul of its own, which may be killed."""
    return SideBySide(own_consul, tmp_path)


class TestFiftyRaces(contract.RaceContract):
    """Only Consul keeps the two apart: they run side by side, and neither the fake cluster nor the machine has a lock."""


def slow(world: SideBySide, greeting: str) -> Service:
    """Its rollout takes 30 s: longer than it takes until the lease is renewed."""
    service = world.service(greeting=greeting)
    return replace(service, rollout=replace(service.rollout, min_ready_ms=15_000, deadline_ms=600_000))


class _Once:
    """Calls ``action`` when the wait for instances has begun."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action, self._done = action, False

    def __call__(self, event: Event) -> None:
        if event.kind is EventKind.PROGRESS and not self._done:
            self._done = True
            self._action()


def check_history(world: SideBySide, greeting: str) -> None:
    assert greetings(world.truth("web")) == [greeting] * 2
    history = Driver(world).history("web")
    assert [r.revision.number for r in history] == list(range(len(history), 0, -1))
    assert history[0].status is RevisionStatus.DEPLOYED
    assert history[0].revision.service.env["GREETING"] == greeting
    assert [r.status for r in history].count(RevisionStatus.DEPLOYED) == 1


def comes_back(consul: Consul) -> Strike:
    """Whoever finds Consul dead starts it again, and still gets no answer."""
    one_at_a_time = threading.Lock()

    def strike(_asked: Asked, carry_out: Callable[[], Answered]) -> Answered | None:
        try:
            return carry_out()
        except (OSError, http.client.HTTPException):
            with one_at_a_time:
                if not consul.pid:
                    consul.start()
            return None

    return strike


def test_a_wait_survives_a_restart_of_consul(shaken: SideBySide, own_consul: Consul) -> None:
    Driver(shaken).deploy(shaken.service(greeting="old"))
    shaken.front.strike = comes_back(own_consul)
    outcome = Driver(shaken, on_event=_Once(own_consul.kill)).deploy(slow(shaken, "new"))
    assert outcome.state is OutcomeState.CONVERGED
    assert own_consul.pid
    check_history(shaken, "new")


def test_a_renewal_that_kills_consul_is_tried_again(shaken: SideBySide, own_consul: Consul) -> None:
    renewals: list[Asked] = []

    def dying(asked: Asked, carry_out: Callable[[], Answered]) -> Answered | None:
        if asked.path.startswith("/v1/session/renew/"):
            renewals.append(asked)
            if len(renewals) == 1:
                own_consul.kill()
                own_consul.start()
                return None
        return carry_out()

    shaken.front.strike = dying
    outcome = Driver(shaken).deploy(slow(shaken, "new"))
    assert outcome.state is OutcomeState.CONVERGED
    assert len(renewals) > 1
    check_history(shaken, "new")


@pytest.mark.parametrize("stay_away", ["killed", "frozen"])
def test_a_consul_that_stays_away_is_exit_9_and_the_same_command_finishes(
    shaken: SideBySide, own_consul: Consul, stay_away: str
) -> None:
    """The rollout itself goes well; only its record cannot be finished. The first deployer cannot give its lock back."""
    Driver(shaken).deploy(shaken.service(greeting="old"))
    leave = own_consul.kill if stay_away == "killed" else own_consul.freeze
    with promised(40), pytest.raises(OrchctlError) as caught:
        Driver(shaken, on_event=_Once(leave)).deploy(shaken.service(greeting="new"))
    assert caught.value.exit_code in (5, 9)  # 5: the lease could not be renewed before the next write
    if stay_away == "killed":
        own_consul.start()
    else:
        own_consul.thaw()
    elsewhere = replace(this_process("second"), host="other", boot="other")
    waited = shaken.clock.now()
    assert Driver(shaken, holder=elsewhere).deploy(shaken.service(greeting="new")).exit_code == 0
    assert shaken.clock.now() - waited < 120 * slowness()
    check_history(shaken, "new")


def test_two_deployers_and_a_consul_that_restarts_under_them(shaken: SideBySide, own_consul: Consul) -> None:
    """Whatever it does to either, what runs is what the newest record says, and nobody has to clean up."""
    shaken.front.strike = comes_back(own_consul)
    drivers = [
        Driver(
            shaken,
            holder=replace(this_process(n), host=n, boot=n),
            on_event=_Once(own_consul.kill) if n == "a" else ignore,
        )
        for n in ("a", "b")
    ]
    actions = [partial(d.deploy, slow(shaken, f"g{n}")) for n, d in enumerate(drivers)]
    for result in shaken.at_once(actions):
        assert getattr(result, "exit_code", None) in (0, 5, 9), result
    assert own_consul.pid
    assert Driver(shaken).deploy(shaken.service(greeting="last")).exit_code == 0
    check_history(shaken, "last")


def ignore(_event: Event) -> None:
    """Nobody listens."""


def test_commands_on_a_frozen_consul_end_with_their_time_outs(own_consul: Consul, tmp_path: Path) -> None:
    """All at once, so that the test takes as long as the slowest of them."""
    (tmp_path / "orch.yaml").write_text('name: web\nbackends: {local: {command: ["sleep", "1000"]}}\nreplicas: 1\n')
    config = f'[contexts.here]\nbackend = "local"\ncatalog = "main"\nstore = "consul"\n[catalogs.main]\nconsul = "{own_consul.url}"\n'
    (tmp_path / "config.toml").write_text(config)
    environ = {**os.environ, "ORCHCTL_CONFIG": str(tmp_path / "config.toml"), "ORCHCTL_STATE_DIR": str(tmp_path)}
    verbs = (["status"], ["deploy"], ["lock", "show"], ["history", "web"], ["doctor"], ["plan"])

    def started(verb: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "orchctl", *verb, "--context", "here"],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    own_consul.freeze()
    with promised(30):
        running = [started(verb) for verb in verbs]
        ended = []
        for process in running:
            with limited(process):
                ended.append(process.communicate()[0])
    for verb, process, said in zip(verbs, running, ended, strict=True):
        assert process.returncode == 9, (verb, said)
        assert f"Consul at {own_consul.url}" in said
        assert "Traceback" not in said
