"""A deployment that somebody cancels, a leader that changes, a server that is away: what is decided then, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.core.rollout import Event, OutcomeState
from orchctl.errors import Conflict, OrchctlError
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.contract.marathon.running import WEB, Heard, Running, at, simple, stuck
from tests.servers.marathon import Marathon
from tests.servers.marathon.front import Front, once
from tests.servers.marathon.messages import Request
from tests.servers.marathon.proxy import proxied
from tests.servers.marathon.web import Dropped
from tests.servers.waiting import until
from tests.worlds.marathon import HASTE, MarathonWorld, images

pytestmark = pytest.mark.world_marathon


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Marathon, MarathonWorld]]:
    """Two masters, both configured."""
    with Marathon(images=images(), check_haste=HASTE, features=("task_killing",), masters=2) as server:
        yield server, at(MarathonWorld(server, server.url, server.mesos_url, tmp_path), *server.urls)


class TestCancelled:
    def test_a_rollout_that_somebody_stops_is_noticed_and_undone(self, world: MarathonWorld, server: Marathon) -> None:
        Driver(world).deploy(simple(world))
        running = Running(lambda: Driver(world).deploy(stuck(world)))
        until("a task of the new version", lambda: len(server.tasks(WEB)) > 1)
        (identity,) = (d["id"] for d in server.deployments())
        world.api.send("DELETE", f"/v2/deployments/{identity}", force="true")
        outcome = running.outcome()
        assert (outcome.state, outcome.exit_code) == (OutcomeState.ROLLED_BACK, 8)
        assert "cancelled" in outcome.failures[0].message
        assert greetings(world.truth("web")) == ["one"]

    def test_a_rollout_that_somebody_reverts_is_a_conflict(self, world: MarathonWorld, server: Marathon) -> None:
        Driver(world).deploy(simple(world))
        running = Running(lambda: Driver(world).deploy(stuck(world)))
        until("a task of the new version", lambda: len(server.tasks(WEB)) > 1)
        (identity,) = (d["id"] for d in server.deployments())
        world.api.send("DELETE", f"/v2/deployments/{identity}")
        found = running.result()
        assert isinstance(found, Conflict), found
        assert found.exit_code == 5
        server.wait_deployed()
        assert greetings(world.truth("web")) == ["one"]

    def test_a_first_rollout_that_somebody_reverts_is_a_conflict_too(
        self, world: MarathonWorld, server: Marathon
    ) -> None:
        running = Running(lambda: Driver(world).deploy(stuck(world)))
        until("a task", lambda: server.tasks(WEB))
        (identity,) = (d["id"] for d in server.deployments())
        world.api.send("DELETE", f"/v2/deployments/{identity}")
        found = running.result()
        assert isinstance(found, Conflict), found
        assert "deleted by somebody else" in str(found)

    def test_an_app_whose_deployment_is_gone_is_still_waited_for(self, world: MarathonWorld, server: Marathon) -> None:
        """Its task is held before it runs; the deployment is cancelled meanwhile, and nothing is out of date."""
        server.hold("staging")
        try:
            running = Running(lambda: Driver(world).deploy(simple(world)))
            until("a task", lambda: server.tasks(WEB))
            (identity,) = (d["id"] for d in server.deployments())
            world.api.send("DELETE", f"/v2/deployments/{identity}", force="true")
            looked = len(server.requests)
            until("three more looks", lambda: len(server.requests) > looked + 3)
            assert not running.is_over
        finally:
            server.release()
        assert running.outcome().state is OutcomeState.CONVERGED
        assert greetings(world.truth("web")) == ["one"]


class TestLeader:
    def test_a_change_in_the_middle_of_a_wait_changes_nothing(self, pair: tuple[Marathon, MarathonWorld]) -> None:
        server, world = pair
        heard = Heard("watching")
        running = Running(lambda: Driver(world, on_event=heard).deploy(simple(world, min_ready_ms=2_500)))
        heard.wait()
        server.abdicate()
        outcome = running.outcome()
        assert (outcome.state, outcome.revision) == (OutcomeState.CONVERGED, 1)
        assert greetings(world.truth("web")) == ["one"]

    @pytest.mark.parametrize("act", ["update", "delete"])
    @pytest.mark.parametrize("arrives", [True, False], ids=["carried out", "not carried out"])
    def test_a_leader_lost_with_a_write_changes_nothing(
        self, pair: tuple[Marathon, MarathonWorld], act: str, arrives: bool
    ) -> None:
        server, world = pair
        Driver(world).deploy(simple(world))
        with Front(server.urls[0]) as front:

            def lose_leader(request: Request) -> None:
                if arrives:
                    proxied(request, server.urls[0])
                server.masters[0].crash()
                raise Dropped

            front.strike = once(lose_leader, method="PUT" if act == "update" else "DELETE", path=WEB)
            at(world, front.url, server.urls[1])
            world.api._url = server.urls[1]
            driver = Driver(world)
            outcome = driver.deploy(simple(world, "two")) if act == "update" else driver.delete("web")
            assert outcome.exit_code == 0
            assert server.leader is server.masters[1]
        truth = world.truth("web")
        assert greetings(truth) == (["two"] if act == "update" else [])
        assert act == "update" or truth.leftovers == ()
        sent = [r for r in server.requests if r.path == f"/v2/apps{WEB}" and r.method in ("PUT", "DELETE")]
        assert len(sent) == 1

    @pytest.mark.parametrize("how", ["crashed", "frozen"])
    def test_a_server_that_is_away_for_a_while_decides_nothing(self, tmp_path: Path, how: str) -> None:
        with Marathon(images=images(), check_haste=HASTE, features=("task_killing",)) as server:
            world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
            waiting, noticed = Heard("watching"), Heard("cannot look")

            def hear(event: Event) -> None:
                waiting(event)
                noticed(event)

            running = Running(lambda: Driver(world, on_event=hear).deploy(simple(world, min_ready_ms=2_500)))
            waiting.wait()
            (server.crash if how == "crashed" else server.freeze)()
            if how == "crashed":
                noticed.wait()
                server.come_back()
            else:
                until("a request that hangs", lambda: server.masters[0].listener.waiting)
                server.thaw()
            assert running.outcome().state is OutcomeState.CONVERGED
            assert greetings(world.truth("web")) == ["one"]

    def test_a_server_that_stays_away_is_told_and_the_same_command_finishes(
        self, pair: tuple[Marathon, MarathonWorld]
    ) -> None:
        server, world = pair
        Driver(world).deploy(simple(world))
        for master in server.masters:
            master.stop()
        with pytest.raises(OrchctlError) as caught:
            Driver(world).deploy(simple(world, "two"))
        assert caught.value.exit_code == 9
        for master in server.masters:
            master.start()
        assert Driver(world).deploy(simple(world, "two")).state is OutcomeState.CONVERGED
