"""What an outcome says is so, and what the next command makes of it: on the cluster in memory, where time is virtual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.backend import Secrets
from orchctl.core.plan import Plan
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import Event, EventKind, FailureKind, Handle, OutcomeState
from orchctl.core.service import OnFailure
from orchctl.engine.journal import Journal
from orchctl.engine.operation import Limits
from orchctl.errors import (
    AuthRefused,
    OrchctlError,
    OutcomeUnknown,
    StalePlan,
    Unreachable,
    UsageError,
    WaitTimeout,
)
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.fake import FakeStore, FakeWriter
from orchctl.testing.fake_cluster import Definition
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


def definition(world: FakeWorld) -> Definition:
    return world.cluster.definitions["test", "web"]


def test_what_is_unchanged_and_not_ready_is_no_success(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    for replica in world.cluster.replicas["test", "web"]:
        replica.ready, replica.service = False, world.service(Behaviour.NEVER_READY)
    writes = world.writes()
    outcome = driver.deploy(world.service())
    assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
    assert outcome.failures[0].kind is FailureKind.UNHEALTHY
    assert world.writes() == writes
    assert [(r.revision.number, r.status) for r in driver.history("web")] == [(1, RevisionStatus.DEPLOYED)]
    with pytest.raises(WaitTimeout):
        driver.within(1_000).deploy(world.service())


def test_of_several_only_what_is_ready_is_unchanged(world: FakeWorld, driver: Driver) -> None:
    services = [world.service(name=name) for name in ("api", "web")]
    driver.deploy_all(services)
    world.kill_instance("web")
    assert [o.state for o in driver.deploy_all(services)] == [OutcomeState.UNCHANGED] * 2
    assert driver.status("web").ready == 2


def test_without_waiting_what_is_not_ready_is_in_progress(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    world.kill_instance("web")
    hasty = replace(driver, limits=Limits(wait=False))
    assert hasty.deploy(world.service()).state is OutcomeState.IN_PROGRESS


@pytest.mark.parametrize("step", ["adopt", "record", "confirmed", "recorded", "failed", "rollback"])
def test_a_disk_that_is_full_after_the_intent_changes_no_outcome(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    driver.deploy(world.service(greeting="one"))
    fill_the_disk_at(monkeypatch, step)
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad")).state is OutcomeState.ROLLED_BACK
    assert greetings(world.truth("web")) == ["one", "one"]
    assert driver.deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
    assert driver.history("web")[0].status is RevisionStatus.DEPLOYED
    assert step == "adopt" or any("No space left" in e.text for e in driver.events)


def test_a_full_disk_refuses_the_first_intent_and_no_later_one(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.deploy(world.service(greeting="one"))
    real, intents = Journal.step, []

    def full(self: Journal, name: str, at: str, facts: Mapping[str, object] | None = None) -> None:
        intents.extend([name] if name == "intent" else [])
        if len(intents) > 1:
            raise UsageError("No space left on device")
        real(self, name, at, facts)

    monkeypatch.setattr(Journal, "step", full)
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad")).state is OutcomeState.ROLLED_BACK
    writes = driver.history("web")
    with pytest.raises(UsageError, match="No space left"):
        driver.deploy(world.service(greeting="two"))
    assert driver.history("web")[0].status is RevisionStatus.FAILED
    assert len(driver.history("web")) == len(writes) + 1
    assert greetings(world.truth("web")) == ["one", "one"]


def fill_the_disk_at(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    real = Journal.step

    def full(self: Journal, name: str, at: str, facts: Mapping[str, object] | None = None) -> None:
        if name == step:
            raise UsageError("the journal cannot be written: No space left on device")
        real(self, name, at, facts)

    monkeypatch.setattr(Journal, "step", full)


@pytest.mark.parametrize("error", [Unreachable, AuthRefused, OutcomeUnknown])
@pytest.mark.parametrize("status", ["deployed", "failed"])
def test_a_store_that_is_away_when_the_end_is_recorded_ends_nothing(
    world: FakeWorld,
    driver: Driver,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    error: type[OrchctlError],
) -> None:
    driver.deploy(world.service(greeting="one"))
    real, failures = FakeStore.update, []

    def away(self: FakeStore, key: str, meta: Mapping[str, str], *, expect: str) -> object:
        if meta.get("status") == status and len(failures) < 3:
            failures.append(key)
            raise error("away")
        return real(self, key, meta, expect=expect)

    monkeypatch.setattr(FakeStore, "update", away)
    behaviour = Behaviour.GOOD if status == "deployed" else Behaviour.CRASH
    outcome = driver.deploy(world.service(behaviour, greeting="two"))
    assert outcome.exit_code == (0 if status == "deployed" else 8)
    assert len(failures) == 3


def test_one_refusal_at_a_renewal_does_not_end_the_wait(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = FakeStore.update, []

    def once(self: FakeStore, key: str, meta: Mapping[str, str], *, expect: str) -> object:
        if "beat" in meta and not refused:
            refused.append(key)
            raise AuthRefused("the token is being renewed")
        return real(self, key, meta, expect=expect)

    monkeypatch.setattr(FakeStore, "update", once)
    service = world.service()
    slow = replace(service, rollout=replace(service.rollout, min_ready_ms=20_000))
    assert driver.deploy(slow).state is OutcomeState.CONVERGED
    assert refused


def test_a_restart_is_not_what_moved_the_version(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's change, a label or a count, at the moment of our write is no restart."""
    driver.deploy(world.service())
    before = set(world.truth("web").running)
    real = FakeWriter.restart

    def raced(self: FakeWriter, namespace: str, name: str, *, expect: str) -> object:
        monkeypatch.setattr(FakeWriter, "restart", real)
        definition(world).version = world.cluster.next_version()
        return real(self, namespace, name, expect=expect)

    monkeypatch.setattr(FakeWriter, "restart", raced)
    assert driver.restart("web").state is OutcomeState.CONVERGED
    assert not before & set(world.truth("web").running)
    assert definition(world).epoch == 1


@pytest.mark.parametrize("arrives", [True, False])
def test_a_restart_whose_answer_was_lost_is_made_once(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    driver.deploy(world.service())
    real = FakeWriter.restart

    def lost(self: FakeWriter, namespace: str, name: str, *, expect: str) -> object:
        monkeypatch.setattr(FakeWriter, "restart", real)
        if arrives:
            real(self, namespace, name, expect=expect)
        else:
            definition(world).version = world.cluster.next_version()
        raise OutcomeUnknown("no answer")

    monkeypatch.setattr(FakeWriter, "restart", lost)
    assert driver.restart("web").state is OutcomeState.CONVERGED
    assert definition(world).epoch == 1


def test_a_restart_long_after_one_that_nobody_watched_is_a_new_one(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    with pytest.raises(WaitTimeout):
        driver.within(50).restart("web")
    world.clock.sleep(601)
    driver.restart("web")
    assert definition(world).epoch == 2


def test_a_restart_that_was_not_to_be_watched_is_not_waited_for_by_the_next(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    hasty = replace(driver, limits=Limits(wait=False))
    assert hasty.restart("web").state is OutcomeState.IN_PROGRESS
    driver.restart("web")
    assert definition(world).epoch == 2


def test_a_restart_after_a_stale_version_gives_up_in_the_end(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.deploy(world.service())

    def refuse(self: FakeWriter, namespace: str, name: str, *, expect: str) -> object:
        raise StalePlan("moved")

    monkeypatch.setattr(FakeWriter, "restart", refuse)
    with pytest.raises(StalePlan):
        driver.restart("web")
    assert definition(world).epoch == 0


def test_a_count_set_by_hand_survives_two_ways_back(world: FakeWorld, driver: Driver) -> None:
    """An automatic one, then one by hand; each plan and record says who set it."""
    driver.deploy(world.service(greeting="one"))
    driver.scale("web", "5")
    by = driver.history("web")[0].override_by
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad")).state is OutcomeState.ROLLED_BACK
    assert (driver.history("web")[0].replicas_override, driver.history("web")[0].override_by) == (5, by)
    for _ in range(2):
        driver.rollback("web", to=1)
        assert greetings(world.truth("web")) == ["one"] * 5
    driver.deploy(world.service(greeting="two"))
    driver.rollback("web", to=1)
    assert greetings(world.truth("web")) == ["one"] * 2, "the file has said another count since"


def test_a_count_set_by_hand_survives_a_failed_deploy_that_was_left(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"))
    driver.scale("web", "5")
    bad = world.service(Behaviour.CRASH, greeting="bad")
    driver.deploy(replace(bad, rollout=replace(bad.rollout, on_failure=OnFailure.PAUSE)))
    driver.rollback("web")
    assert greetings(world.truth("web")) == ["one"] * 5


def test_a_count_changed_outside_is_kept_and_the_plan_says_so(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"))
    driver.deploy(world.service(greeting="two"))
    recount(world, 4)
    plan = driver.plan(world.service(greeting="two")).plan
    assert plan.notes == ("replicas 4 -> 2: set by an autoscaler or by hand on the backend",)
    where = driver.where_rollback_goes("web")
    assert where.planned.plan.notes[-1] == "replicas stay 4: set by an autoscaler or by hand on the backend"
    driver.rollback("web")
    driver.rollback("web", to=2)
    assert greetings(world.truth("web")) == ["two"] * 4


def recount(world: FakeWorld, replicas: int) -> None:
    definition(world).replicas, definition(world).version = replicas, world.cluster.next_version()


def test_a_rollback_after_an_automatic_one_goes_to_the_revision_before(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"))
    driver.deploy(world.service(greeting="two"))
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad")).state is OutcomeState.ROLLED_BACK
    assert driver.rollback("web").state is OutcomeState.CONVERGED
    assert greetings(world.truth("web")) == ["one", "one"]


def test_a_count_that_nobody_fixed_is_no_conflict(
    world: FakeWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An autoscaler moves it between our look and our write, and again while we wait."""
    loose = replace(world.service(greeting="one"), replicas=None)
    driver.deploy(loose)
    recount(world, 2)
    real = FakeWriter.apply

    def raced(self: FakeWriter, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:
        monkeypatch.setattr(FakeWriter, "apply", real)
        recount(world, 3)
        return real(self, plan, revision=revision, secrets=secrets)

    monkeypatch.setattr(FakeWriter, "apply", raced)
    again = {"progress": lambda: recount(world, 4)}

    def meanwhile(event: Event) -> None:
        if event.kind is EventKind.PROGRESS and event.progress and len(event.progress.instances) > 3:
            again.pop("progress", lambda: None)()

    driver.on_event = meanwhile
    assert driver.deploy(replace(loose, env={"GREETING": "two"})).state is OutcomeState.CONVERGED
    assert greetings(world.truth("web")) == ["two"] * 4


def test_revisions_that_nobody_watched_are_there_to_go_back_to(world: FakeWorld, driver: Driver) -> None:
    hasty = replace(driver, limits=Limits(wait=False))
    for greeting in ("one", "two"):
        assert hasty.deploy(world.service(greeting=greeting)).state is OutcomeState.IN_PROGRESS
        world.clock.sleep(30)
    message = driver.status("web").message
    assert message == "revision 2 runs; nobody waited for it, and the next deploy records it as deployed"
    assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad")).state is OutcomeState.ROLLED_BACK
    assert greetings(world.truth("web")) == ["two", "two"]
    assert [r.status.value for r in driver.history("web")] == ["deployed", "rolled_back", "superseded", "superseded"]


def test_a_revision_that_nobody_watched_and_that_does_not_run_was_interrupted(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"))
    replace(driver, limits=Limits(wait=False)).deploy(world.service(Behaviour.NEVER_READY, greeting="bad"))
    world.clock.sleep(30)
    assert driver.deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
    assert [(r.status.value, r.note) for r in driver.history("web")][1] == ("failed", "interrupted")
