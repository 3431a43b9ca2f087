"""A count that changes in the middle of a rollout ends nothing half done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Health, Probe, ProbeKind, Service
from orchctl.errors import WaitTimeout
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.servers.marathon import Marathon
from tests.worlds.marathon import HASTE, MarathonWorld, images

pytestmark = pytest.mark.world_marathon


def stuck(world: MarathonWorld) -> Service:
    """Its rollout goes on as long as nobody ends it."""
    service = world.service(Behaviour.NEVER_READY, greeting="two")
    return replace(service, health=replace(service.health, start_deadline_ms=600_000))


def interrupted(world: MarathonWorld, service: Service) -> None:
    Driver(world).deploy(world.service(greeting="one"))
    with pytest.raises(WaitTimeout):
        Driver(world).within(500).deploy(service)


def test_a_scale_in_the_middle_of_a_rollout_goes_on_with_it(marathon_world: MarathonWorld) -> None:
    service = marathon_world.service(greeting="two")
    interrupted(marathon_world, replace(service, rollout=replace(service.rollout, min_ready_ms=4_000)))
    assert Driver(marathon_world).scale("web", "3").state is OutcomeState.CONVERGED
    assert greetings(marathon_world.truth("web")) == ["two"] * 3


def test_a_deploy_of_another_count_in_the_middle_of_a_stuck_rollout_is_no_half_rollout(
    marathon_world: MarathonWorld,
) -> None:
    interrupted(marathon_world, stuck(marathon_world))
    with pytest.raises(WaitTimeout):
        Driver(marathon_world).within(1_000).deploy(stuck(marathon_world).sized(3))
    assert greetings(marathon_world.truth("web")).count("one") == 2, "none that serves has gone"
    seen = Driver(marathon_world).status("web").progress
    assert not seen.paused, "a deployment replaces the old instances"
    assert Driver(marathon_world).deploy(marathon_world.service(greeting="three")).state is OutcomeState.CONVERGED
    assert greetings(marathon_world.truth("web")) == ["three"] * 2


class TestReadiness:
    """Marathon asks for it while it deploys, and only of the tasks that this deployment has started."""

    @pytest.fixture
    def server(self) -> Iterator[Marathon]:
        with Marathon(images=images(), check_haste=HASTE, features=("task_killing",)) as server:
            yield server

    @pytest.fixture
    def world(self, server: Marathon, tmp_path: Path) -> MarathonWorld:
        return MarathonWorld(server, server.url, server.mesos_url, tmp_path)

    def service(self, world: MarathonWorld, *, drain: int = 0) -> Service:
        """With a readiness check beside the health check, and less patience than a drain takes."""
        found = world.service()
        live = Probe(kind=ProbeKind.TCP, port="http", interval_ms=1_000, timeout_ms=1_000)
        health = Health(ready=found.health.ready, live=live, start_deadline_ms=2_500)
        env = {**found.env, **({"DRAIN": str(drain)} if drain else {})}
        return replace(found, env=env, health=health, stop=replace(found.stop, grace_ms=(drain + 2) * 1_000))

    @pytest.mark.parametrize("how", ["scale", "deploy"])
    def test_fewer_instances_need_no_readiness(self, world: MarathonWorld, how: str) -> None:
        service = self.service(world, drain=4).sized(3)
        assert Driver(world).deploy(service).state is OutcomeState.CONVERGED
        driver = Driver(world)
        outcome = driver.scale("web", "2") if how == "scale" else driver.deploy(service.sized(2))
        assert outcome.state is OutcomeState.CONVERGED, outcome.message

    @pytest.mark.parametrize("how", ["scale", "deploy"])
    def test_those_that_ran_before_are_ready_while_a_new_one_waits_for_its_place(
        self, world: MarathonWorld, server: Marathon, how: str
    ) -> None:
        service = self.service(world)
        assert Driver(world).deploy(service).state is OutcomeState.CONVERGED
        server.hold("offers")
        threading.Timer(4, server.release).start()
        driver = Driver(world)
        outcome = driver.scale("web", "3") if how == "scale" else driver.deploy(service.sized(3))
        assert outcome.state is OutcomeState.CONVERGED, outcome.message
        assert len(greetings(world.truth("web"))) == 3

    def test_a_new_one_that_is_not_ready_is_waited_for(self, world: MarathonWorld) -> None:
        """Its port is open, and its answer is an error."""
        service = self.service(world)
        assert service.health.ready is not None
        never = replace(service.health, ready=replace(service.health.ready, path="/", timeout_ms=500))
        words = "import os, socket; s = socket.create_server(('', int(os.environ['PORT_HTTP'])))\nwhile 1: s.accept()[0].close()"
        deaf = replace(service, health=never, command=(*service.command[:4], words))
        outcome = Driver(world).deploy(deaf)
        assert outcome.state is OutcomeState.FAILED
        assert "health.start.deadline" in outcome.failures[0].message
