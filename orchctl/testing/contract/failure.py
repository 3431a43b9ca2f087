"""Bad releases: the right verdict, in time, with evidence, and the old version never stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchctl.core.capability import Feature, Support
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import Event, FailureKind, OutcomeState, Phase
from orchctl.core.service import OnFailure, Restart, Service
from orchctl.engine import verdict
from orchctl.errors import WaitTimeout
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour, Truth, World

KINDS = {
    Behaviour.CRASH: {FailureKind.CRASHED},
    Behaviour.CRASH_LATER: {FailureKind.CRASHED},
    Behaviour.NEVER_READY: {FailureKind.UNHEALTHY},
    Behaviour.MISSING_IMAGE: {FailureKind.IMAGE},
    Behaviour.UNSCHEDULABLE: {FailureKind.UNSCHEDULABLE, FailureKind.PORT_TAKEN},
}
CRASH_VERDICT_S = 15.0


class FailureContract:
    @pytest.fixture(autouse=True)
    def _patience(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verdict, "UNSCHEDULABLE_S", world.unschedulable_s)

    def test_what_ended_and_is_not_started_again_is_known_at_once(self, world: World, driver: Driver) -> None:
        if world.backend.capabilities()[Feature.RESTART_NEVER].support in (Support.UNSUPPORTED, Support.NOT_YET):
            pytest.skip("this backend starts everything again")
        outcome = driver.deploy(replace(world.service(Behaviour.CRASH).sized(1), restart=Restart.NEVER))
        assert (outcome.state, {f.kind for f in outcome.failures}) == (OutcomeState.FAILED, {FailureKind.CRASHED})
        assert "restart: never" in outcome.failures[0].message

    def test_after_a_failure_with_nothing_to_go_back_to_the_phase_is_failed(self, world: World, driver: Driver) -> None:
        assert driver.deploy(world.service(Behaviour.NEVER_READY)).exit_code == 7
        assert driver.status("web").phase is Phase.FAILED

    @pytest.mark.parametrize("behaviour", list(KINDS))
    def test_a_bad_update_is_rolled_back_and_the_old_version_never_stops(
        self, world: World, driver: Driver, behaviour: Behaviour
    ) -> None:
        service = world.service(behaviour, greeting="bad")
        driver.deploy(world.service(greeting="one"))
        old = set(world.truth("web").running)
        keeps = world.backend.capabilities()[Feature.ROLLOUT_UNDO].support is Support.NATIVE
        serving: list[int] = []

        def count(_event: Event) -> None:
            """The old instances themselves, or as many of the old definition where going back replaces them."""
            running = world.truth("web").running
            serving.append(
                len(old & set(running)) if keeps else greetings(Truth(exists=True, running=running)).count("one")
            )

        driver.on_event = count
        outcome = driver.deploy(service)
        assert (outcome.state, outcome.exit_code, outcome.revision) == (OutcomeState.ROLLED_BACK, 8, 3)
        assert {f.kind for f in outcome.failures} <= KINDS[behaviour]
        assert greetings(world.truth("web")) == ["one", "one"]
        if behaviour is not Behaviour.CRASH_LATER:  # it was ready for a while, so an old one may rightly have gone
            assert min(serving) == 2
        statuses = [(r.revision.number, r.status) for r in driver.history("web")]
        assert statuses == [
            (3, RevisionStatus.DEPLOYED),
            (2, RevisionStatus.ROLLED_BACK),
            (1, RevisionStatus.SUPERSEDED),
        ]

    def test_a_crash_is_known_within_fifteen_seconds_and_its_output_is_kept(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        pace = world.pace()
        started = world.clock.now()
        known: list[float] = []
        driver.on_event = lambda e: known.append(world.clock.now()) if e.kind.value == "problem" else None
        outcome = driver.deploy(world.service(Behaviour.CRASH, greeting="bad"))
        assert known[0] - started <= CRASH_VERDICT_S * max(pace, world.pace())
        if world.without_processes:
            pytest.skip(world.without_processes)
        crash = outcome.failures[0]
        assert crash.exit_code == 7
        assert any("boom: cannot start" in line for line in crash.logs)

    def test_why_tells_the_cause_after_the_rollback(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        driver.deploy(world.service(Behaviour.CRASH, greeting="bad"))
        diagnosis = driver.why("web")
        assert diagnosis.status.phase is Phase.HEALTHY
        assert diagnosis.of_revision == 2
        assert diagnosis.failures[0].kind is FailureKind.CRASHED
        if world.without_processes:
            pytest.skip(world.without_processes)
        assert any("boom: cannot start" in line for line in diagnosis.failures[0].logs)

    @pytest.mark.parametrize("behaviour", [Behaviour.CRASH, Behaviour.MISSING_IMAGE, Behaviour.UNSCHEDULABLE])
    def test_a_bad_first_deploy_fails_and_does_not_hang(
        self, world: World, driver: Driver, behaviour: Behaviour
    ) -> None:
        outcome = driver.deploy(world.service(behaviour))
        assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
        assert {f.kind for f in outcome.failures} <= KINDS[behaviour]
        assert [r.status for r in driver.history("web")] == [RevisionStatus.FAILED]

    def test_a_good_deploy_after_a_failed_first_one_converges(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(Behaviour.CRASH))
        assert driver.deploy(world.service(greeting="one")).state is OutcomeState.CONVERGED
        assert greetings(world.truth("web")) == ["one", "one"]

    def test_pause_leaves_the_old_version_serving_and_exits_7(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        service = world.service(Behaviour.CRASH, greeting="bad")
        outcome = driver.deploy(replace(service, rollout=replace(service.rollout, on_failure=OnFailure.PAUSE)))
        assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
        assert greetings(world.truth("web")).count("one") == 2
        assert driver.rollback("web").state is OutcomeState.CONVERGED
        assert greetings(world.truth("web")) == ["one", "one"]

    def test_the_same_deploy_again_after_a_pause_tries_again(self, world: World, driver: Driver) -> None:
        """The cause may have gone away meanwhile: a paused rollout must not be waited for, nor judged by its past."""
        driver.deploy(world.service(greeting="one"))
        service = world.service(Behaviour.CRASH, greeting="bad")
        paused = replace(service, rollout=replace(service.rollout, on_failure=OnFailure.PAUSE))
        driver.deploy(paused)
        before = {i.id for i in driver.status("web").progress.instances}
        outcome = driver.deploy(paused)
        assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
        assert {f.kind for f in outcome.failures} == {FailureKind.CRASHED}
        assert outcome.failures[0].instance not in before
        assert greetings(world.truth("web")).count("one") == 2

    def test_timeout_first_means_still_in_progress_and_the_next_run_resumes(self, world: World, driver: Driver) -> None:
        service = world.service(greeting="two")
        slow = replace(service, rollout=replace(service.rollout, min_ready_ms=4_000))
        driver.deploy(world.service(greeting="one"))
        with pytest.raises(WaitTimeout):
            driver.within(500).deploy(slow)
        assert driver.history("web")[0].status is RevisionStatus.PENDING
        outcome = driver.deploy(slow)
        assert (outcome.state, outcome.revision) == (OutcomeState.CONVERGED, 2)
        assert [r.revision.number for r in driver.history("web")] == [2, 1]

    def test_the_same_scale_after_a_timeout_waits(self, world: World, driver: Driver) -> None:
        driver.deploy(_watched(world))
        with pytest.raises(WaitTimeout):
            driver.within(50).scale("web", "4")
        assert driver.scale("web", "4").exit_code == 0
        assert (driver.status("web").ready, len(world.truth("web").running)) == (4, 4)

    def test_the_same_restart_after_a_timeout_waits_for_the_first(self, world: World, driver: Driver) -> None:
        driver.deploy(_watched(world))
        before = set(world.truth("web").running)
        with pytest.raises(WaitTimeout):
            driver.within(500).restart("web")
        begun = set(world.truth("web").running) - before
        assert driver.restart("web").state is OutcomeState.CONVERGED
        after = set(world.truth("web").running)
        assert begun <= after
        assert not before & after
        assert driver.restart("web").state is OutcomeState.CONVERGED
        assert not after & set(world.truth("web").running)

    def test_unchanged_is_said_only_of_what_is_ready(self, world: World, driver: Driver) -> None:
        """What was lost meanwhile is waited for; nothing is written for it."""
        driver.deploy(world.service())
        writes, there = world.writes(), _ready(driver)
        world.kill_instance("web")
        wait_until(world, lambda: _ready(driver) != there)  # a busy backend knows it later
        assert driver.deploy(world.service()).state is OutcomeState.UNCHANGED
        assert (driver.status("web").ready, world.writes()) == (2, writes)

    def test_another_spec_supersedes_an_interrupted_rollout(self, world: World, driver: Driver) -> None:
        service = world.service(greeting="two")
        driver.deploy(world.service(greeting="one"))
        with pytest.raises(WaitTimeout):
            driver.within(100).deploy(replace(service, rollout=replace(service.rollout, min_ready_ms=4_000)))
        assert driver.deploy(world.service(greeting="three")).state is OutcomeState.CONVERGED
        assert [r.status for r in driver.history("web")][:2] == [RevisionStatus.DEPLOYED, RevisionStatus.FAILED]
        assert greetings(world.truth("web")) == ["three", "three"]

    def test_an_instance_that_dies_after_the_deploy_is_replaced(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        world.kill_instance("web")
        wait_until(world, lambda: len(world.truth("web").running) == 2 and driver.status("web").ready == 2)
        assert driver.status("web").phase is Phase.HEALTHY


def _watched(world: World) -> Service:
    """Nothing about it is done by the first look, however late that is made on a busy machine."""
    service = world.service()
    return replace(service, rollout=replace(service.rollout, min_ready_ms=2_000))


def _ready(driver: Driver) -> set[tuple[str, int]]:
    """Processes that are ready, as the backend tells."""
    return {(i.id, i.exits) for i in driver.status("web").progress.instances if i.ready}


def wait_until(world: World, condition: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Look until it holds; AssertionError after ``seconds`` of the world's clock."""
    deadline = world.clock.now() + seconds
    while not condition():
        assert world.clock.now() < deadline, "the condition did not come true in time"
        world.clock.sleep(0.1)
