"""Rollouts that fail on Marathon: a verdict in time, its reason in words, and never too few instances that serve."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import Event, EventKind, FailureKind, OutcomeState
from orchctl.core.service import Amount, Expose, Health, OnFailure, Operator, Placement, Requirement, Service
from orchctl.engine import verdict
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.contract.failure import CRASH_VERDICT_S
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.contract.marathon.running import shell_of
from tests.contract.marathon.serving import Serving, sized
from tests.servers.marathon import Agent, Marathon
from tests.servers.waiting import until
from tests.worlds.marathon import MarathonWorld, images

pytestmark = pytest.mark.world_marathon

CHECK_HASTE = 1.0  # see conftest.py

WEB = "/test/web"
HEALTHY_FOR_A_WHILE = """
import http.server, os, time
born = 0.0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global born
        born = born or time.monotonic()
        self.send_response(200 if time.monotonic() - born < 1 else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT_HTTP"])), Handler).serve_forever()
"""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute without a place is shortened; everything else is as it is."""
    monkeypatch.setattr(verdict, "UNSCHEDULABLE_S", 1.5)


def unhealthy_soon(service: Service) -> Service:
    """Healthy for a second from when somebody first asks, and never again: Mesos' executor kills it, which Marathon notes as no failure."""
    rollout = replace(service.rollout, min_ready_ms=8_000, deadline_ms=180_000)
    return replace(service, command=(sys.executable, "-c", HEALTHY_FOR_A_WHILE), rollout=rollout)


KINDS = {
    Behaviour.CRASH: FailureKind.CRASHED,
    Behaviour.NEVER_READY: FailureKind.UNHEALTHY,
    Behaviour.UNSCHEDULABLE: FailureKind.UNSCHEDULABLE,
    Behaviour.MISSING_IMAGE: FailureKind.IMAGE,
}
SIZES = [(3, 1, 0), (3, 0, 1), (2, 1, 1), (1, 1, 0)]
CASES = [(Behaviour.CRASH, s) for s in SIZES] + [(Behaviour.UNSCHEDULABLE, s) for s in SIZES[:3]]
CASES += [(Behaviour.NEVER_READY, SIZES[1]), (Behaviour.MISSING_IMAGE, SIZES[0])]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(("behaviour", "size"), CASES)
def test_going_back_keeps_the_healthy_minimum_and_ends_with_the_count_asked_for(
    world: MarathonWorld, server: Marathon, behaviour: Behaviour, size: tuple[int, int, int]
) -> None:
    replicas, _, unavailable = size
    Driver(world).deploy(sized(world.service(greeting="one"), *size))
    with Serving(server) as serving:
        outcome = Driver(world).deploy(sized(world.service(behaviour, greeting="bad"), *size))
    assert (outcome.state, outcome.exit_code) == (OutcomeState.ROLLED_BACK, 8), outcome.message
    assert {f.kind for f in outcome.failures} == {KINDS[behaviour]}
    assert serving.least >= replicas - unavailable
    assert greetings(world.truth("web")) == ["one"] * replicas
    assert server.apps()[WEB]["instances"] == replicas
    assert server.deployments() == []


def test_a_crash_is_a_verdict_within_fifteen_seconds(world: MarathonWorld) -> None:
    driver = Driver(world)
    driver.deploy(world.service(greeting="one"))
    pace, started = world.pace(), time.monotonic()
    outcome = driver.deploy(world.service(Behaviour.CRASH, greeting="bad"))
    took = time.monotonic() - started
    told = next(e.at_ms for e in driver.events if e.kind.value == "problem" and "crashed" in e.text) / 1000
    assert outcome.exit_code == 8
    assert told <= CRASH_VERDICT_S * max(pace, world.pace())
    assert took >= told


LACKING: dict[str, tuple[Callable[[Service], Service], str]] = {
    "cpu": (lambda s: replace(s, resources=replace(s.resources, cpu_millis=1_000_000)), "InsufficientCpus"),
    "memory": (lambda s: replace(s, resources=replace(s.resources, memory_bytes=1 << 50)), "InsufficientMemory"),
    "constraint": (
        lambda s: replace(s, placement=Placement(require=(Requirement(key="rack", op=Operator.IN, values=("no",)),))),
        "UnfulfilledConstraint",
    ),
    "role": (
        lambda s: replace(s, backends={"marathon": {"accepted_resource_roles": ["public"]}}),
        "UnfulfilledRole",
    ),
    "ports": (
        lambda s: replace(
            s,
            ports=(replace(s.ports[0], expose=Expose.HOST, published=80),),
            rollout=replace(s.rollout, max_surge=Amount(0), max_unavailable=Amount(1)),
        ),
        "InsufficientPorts",
    ),
}


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("what", LACKING)
def test_what_finds_no_place_names_what_is_lacking(world: MarathonWorld, what: str) -> None:
    change, reason = LACKING[what]
    outcome = Driver(world).deploy(change(world.service()))
    assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
    assert {f.kind for f in outcome.failures} == {FailureKind.UNSCHEDULABLE}
    assert reason in outcome.failures[0].message


def test_waiting_for_offers_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Marathon asks for offers at most every half minute; what was not offered was not refused."""
    monkeypatch.setattr(verdict, "UNSCHEDULABLE_S", 0.5)  # less than passes here between two rounds of offers
    with Marathon(images=images(), min_revive=30.0) as server:
        world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
        Driver(world).deploy(world.service(greeting="one"))
        passing = threading.Event()

        def hurry() -> None:
            while not passing.wait(1.0):
                server.advance(30)

        thread = threading.Thread(target=hurry, daemon=True)
        thread.start()
        outcome = Driver(world).deploy(world.service(greeting="two"))
        bad = Driver(world).deploy(world.service(Behaviour.UNSCHEDULABLE, greeting="bad"))
        passing.set()
        thread.join()
        assert outcome.state is OutcomeState.CONVERGED, outcome
        assert bad.state is OutcomeState.ROLLED_BACK, "what was refused to the bad one says nothing about the way back"
        assert greetings(world.truth("web")) == ["two", "two"]


def test_instances_that_failed_checks_kill_end_as_unhealthy(world: MarathonWorld) -> None:
    """No lastTaskFailure tells of them, and each is replaced by a new one that is healthy at first."""
    Driver(world).deploy(world.service(greeting="one"))
    outcome = Driver(world).deploy(unhealthy_soon(world.service(greeting="bad")))
    assert (outcome.state, outcome.exit_code) == (OutcomeState.ROLLED_BACK, 8)
    assert {f.kind for f in outcome.failures} == {FailureKind.UNHEALTHY}
    assert "health check" in outcome.failures[0].message
    assert greetings(world.truth("web")) == ["one", "one"]


def test_a_lost_agent_is_told_and_its_instances_are_replaced(tmp_path: Path) -> None:
    agents = [Agent("127.0.0.1"), Agent("127.0.0.2")]
    with Marathon(images=images(), agents=agents) as server:
        world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
        service = replace(world.service(), placement=Placement(max_per_node=1))
        driver = Driver(world)
        driver.deploy(
            replace(service, rollout=replace(service.rollout, max_surge=Amount(0), max_unavailable=Amount(1)))
        )
        server.hold("offers")
        server.lose_agent("127.0.0.2")
        until("one instance less", lambda: driver.status("web").ready == 1)
        problems = [i.problem for i in driver.status("web").progress.instances if i.problem]
        assert server.deployments() == []
        assert all("agent" in p.message for p in problems)
        server.find_agent("127.0.0.2")
        server.release()
        until("both again", lambda: driver.status("web").ready == 2)


def test_old_instances_are_seen_by_their_own_definition(world: MarathonWorld, server: Marathon) -> None:
    """They have no check, and another first port; the new definition adds both and is never ready."""
    size = (3, 0, 1)
    old = replace(sized(world.service(greeting="one"), *size), health=Health())
    Driver(world).deploy(old)
    port = replace(old.ports[0], name="admin", port=9_000)
    bad = replace(sized(world.service(Behaviour.NEVER_READY, greeting="bad"), *size), ports=(port, *old.ports))
    before = {(t.id, t.ports[0]) for t in server.tasks(WEB)}
    seen: list[set[tuple[str, int]]] = []
    asked = len(server.requests)

    def look(event: Event) -> None:
        if event.kind is EventKind.PROGRESS and len(server.tasks(WEB)) == 3 and not seen:
            found = Driver(world).discover("web")
            seen.append({(e.instance, e.port) for e in found if e.ready and e.port_name == "http"} & before)
            assert not {(e.instance, e.port) for e in found if e.port_name == "admin"} & before
            assert Driver(world).status("web").ready == 2

    with Serving(server) as serving:
        outcome = Driver(world, on_event=look).deploy(bad)
    assert outcome.state is OutcomeState.ROLLED_BACK, outcome.message
    assert [len(found) for found in seen] == [2]
    assert serving.least >= 2
    of_versions = [r for r in server.requests[asked:] if "/versions/" in r.path]
    assert len(of_versions) <= 5, "one for each definition and command, however often is looked"


def test_a_way_back_says_that_it_replaces_every_instance(world: MarathonWorld, tmp_path: Path) -> None:
    """Those too that never stopped, as 0 of 3 kept their ids on a real Marathon: in the plan of a rollback, and where one
    is made without a question."""
    told = "every way back replaces every instance, those that never stopped included"
    driver = Driver(world)
    driver.deploy(world.service(greeting="one"))
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad")).state is OutcomeState.ROLLED_BACK
    assert any(told in e.text for e in driver.events if e.text.startswith("rolling back"))
    driver.deploy(world.service(greeting="two"))
    done = shell_of(world, tmp_path).run("rollback", "web", "--yes")
    assert done.returncode == 0, done.stderr
    plan, _, _ = done.stderr.partition("web: revision")
    assert told in plan
    assert "instances are replaced" in plan


def test_pause_then_the_same_again_then_back(world: MarathonWorld, server: Marathon) -> None:
    size = (3, 1, 0)
    Driver(world).deploy(sized(world.service(greeting="one"), *size))
    bad = sized(world.service(Behaviour.CRASH, greeting="bad"), *size)
    paused = replace(bad, rollout=replace(bad.rollout, on_failure=OnFailure.PAUSE))
    with Serving(server) as serving:
        for _ in range(2):
            outcome = Driver(world).deploy(paused)
            assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
            assert server.deployments() == []
            assert greetings(world.truth("web")).count("one") == 3
        assert Driver(world).rollback("web").state is OutcomeState.CONVERGED
    assert serving.least >= 3
    assert greetings(world.truth("web")) == ["one"] * 3
