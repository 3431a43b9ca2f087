"""A rollout that stands half done: whatever is asked next, nothing that serves is stopped beyond what the spec allows."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import OnFailure, Service
from orchctl.engine.operation import Limits
from orchctl.errors import Conflict, Locked, WaitTimeout
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.contract.marathon.serving import Serving, sized
from tests.servers.marathon import Marathon
from tests.servers.waiting import until
from tests.worlds.marathon import MarathonWorld

pytestmark = pytest.mark.world_marathon

CHECK_HASTE = 1.0  # see conftest.py

WEB = "/test/web"
ONE_LESS, ONE_MORE = (3, 0, 1), (3, 1, 0)


def failing(world: MarathonWorld, size: tuple[int, int, int]) -> Service:
    """Never ready, and left as it is."""
    service = sized(world.service(Behaviour.NEVER_READY, greeting="bad"), *size)
    health = replace(service.health, start_deadline_ms=1_500)
    return replace(service, health=health, rollout=replace(service.rollout, on_failure=OnFailure.PAUSE))


def endless(world: MarathonWorld, size: tuple[int, int, int]) -> Service:
    """Never ready, and nobody gives it up."""
    service = failing(world, size)
    return replace(service, health=replace(service.health, start_deadline_ms=600_000))


def paused(world: MarathonWorld, size: tuple[int, int, int]) -> Service:
    """What failed, with the instances of before that serve on."""
    Driver(world).deploy(sized(world.service(greeting="one"), *size))
    bad = failing(world, size)
    assert Driver(world).deploy(bad).exit_code == 7
    return bad


def writes_since(server: Marathon, before: int) -> list[str]:
    sent = [r for r in server.requests[before:] if r.method != "GET"]
    return [f"{r.method} {r.path}" for r in sent if "orchctl" not in r.path and r.path != "/v2/apps"]


@pytest.mark.parametrize("size", [ONE_LESS, ONE_MORE])
@pytest.mark.parametrize("count", ["4", "2"])
def test_a_scale_is_refused_and_nothing_is_sent(
    world: MarathonWorld, server: Marathon, size: tuple[int, int, int], count: str
) -> None:
    paused(world, size)
    before, kept = len(server.requests), {t.id for t in server.tasks(WEB)}
    with pytest.raises(Conflict, match="half done") as caught:
        Driver(world).scale("web", count)
    assert caught.value.exit_code == 5
    assert "roll back" in caught.value.hint
    assert writes_since(server, before) == []
    assert {t.id for t in server.tasks(WEB)} == kept


@pytest.mark.parametrize("size", [ONE_LESS, ONE_MORE])
def test_the_same_failing_deploy_again_and_again_stops_nothing_that_serves(
    world: MarathonWorld, server: Marathon, size: tuple[int, int, int]
) -> None:
    bad = paused(world, size)
    least = size[0] - size[2]
    with Serving(server) as serving:
        for _ in range(2):
            assert Driver(world).deploy(bad).state is OutcomeState.FAILED
            assert server.deployments() == []
            assert Driver(world).plan(bad).plan.is_empty, "the count is the one that was asked for"
        assert Driver(world).rollback("web").state is OutcomeState.CONVERGED
    assert serving.least >= least
    assert greetings(world.truth("web")) == ["one"] * 3
    assert server.apps()[WEB]["instances"] == 3


@pytest.mark.parametrize("size", [ONE_LESS, ONE_MORE])
def test_the_same_deploy_goes_on_when_its_cause_is_gone(
    world: MarathonWorld, server: Marathon, size: tuple[int, int, int], tmp_path: Path
) -> None:
    """The count is put right at its end, although more were needed on the way."""
    up = tmp_path / "database"
    Driver(world).deploy(sized(world.service(greeting="one"), *size))
    script = f'while [ ! -e "{up}" ]; do sleep 0.1; done; exec "$@"'
    good = world.service(greeting="two")
    late = sized(replace(good, command=("/bin/sh", "-c", script, "sh", *good.command)), *size)
    late = replace(late, rollout=replace(late.rollout, on_failure=OnFailure.PAUSE))
    short = replace(late, health=replace(late.health, start_deadline_ms=1_500))
    with Serving(server) as serving:
        assert Driver(world).deploy(short).state is OutcomeState.FAILED
        up.touch()
        assert Driver(world).deploy(replace(late, health=short.health)).state is OutcomeState.CONVERGED
    assert serving.least >= size[0] - size[2]
    assert greetings(world.truth("web")) == ["two"] * 3
    assert server.apps()[WEB]["instances"] == 3
    assert Driver(world).plan(short).plan.is_empty


def test_a_deploy_of_another_count_replaces_the_rest_and_stops_nothing_that_serves(
    world: MarathonWorld, server: Marathon
) -> None:
    bad = paused(world, ONE_LESS)
    with Serving(server) as serving:
        assert Driver(world).deploy(bad.sized(4)).state is OutcomeState.FAILED
        assert Driver(world).deploy(bad.sized(2)).state is OutcomeState.FAILED
    assert serving.least >= 2
    assert greetings(world.truth("web")).count("one") == 2


@pytest.mark.parametrize("size", [ONE_LESS, ONE_MORE])
def test_a_restart_of_what_is_half_done_stops_nothing_that_serves(
    world: MarathonWorld, server: Marathon, size: tuple[int, int, int]
) -> None:
    paused(world, size)
    with Serving(server) as serving:
        assert Driver(world).restart("web").state is OutcomeState.FAILED
    assert serving.least >= size[0] - size[2]


def test_a_restart_with_one_that_fails_stops_none_of_the_others_for_it(world: MarathonWorld, server: Marathon) -> None:
    """One of three has stopped answering: it is the one that may be missing."""
    service = sized(world.service(greeting="one"), *ONE_LESS)
    assert service.health.ready is not None
    patient = replace(service.health, ready=replace(service.health.ready, failures=1_000))
    Driver(world).deploy(replace(service, health=patient))
    server.kill_task(server.tasks(WEB)[-1].id, signal.SIGSTOP)
    until("one that fails", lambda: Driver(world).status("web").ready == 2)
    with Serving(server) as serving:
        assert Driver(world).restart("web").state is OutcomeState.CONVERGED
    assert serving.least >= 2
    assert server.apps()[WEB]["instances"] == 3


class TestWhileItRuns:
    def started(self, world: MarathonWorld, size: tuple[int, int, int]) -> None:
        Driver(world).deploy(sized(world.service(greeting="one"), *size))
        with pytest.raises(WaitTimeout):
            Driver(world).within(1_000).deploy(endless(world, size))

    @pytest.mark.parametrize("size", [ONE_LESS, ONE_MORE])
    def test_a_larger_count_goes_on_with_it(
        self, world: MarathonWorld, server: Marathon, size: tuple[int, int, int]
    ) -> None:
        self.started(world, size)
        before = len(server.requests)
        with Serving(server) as serving, pytest.raises(WaitTimeout):
            Driver(world).within(1_500).scale("web", "5")
        assert set(writes_since(server, before)) == {f"PUT /v2/apps{WEB}"}
        assert server.apps()[WEB]["instances"] == 5
        assert len(server.deployments()) == 1
        assert serving.least >= size[0] - size[2]

    def test_a_smaller_count_that_would_stop_what_serves_waits_for_the_end(
        self, world: MarathonWorld, server: Marathon
    ) -> None:
        self.started(world, ONE_MORE)
        before = len(server.requests)
        with Serving(server) as serving, pytest.raises(Locked, match="under way") as caught:
            Driver(world, limits=Limits(lock_timeout_ms=600)).scale("web", "2")
        assert caught.value.by == tuple(d["id"] for d in server.deployments())
        assert writes_since(server, before) == []
        assert serving.least == 3
