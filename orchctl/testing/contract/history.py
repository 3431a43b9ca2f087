"""Revisions and going back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.capability import Feature, Support
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import OutcomeState
from orchctl.core.service import File, SecretRef
from orchctl.engine.history import KEPT_REVISIONS
from orchctl.errors import NotFound
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour, World


class HistoryContract:
    def test_revisions_are_numbered_without_gaps_and_one_is_deployed(self, world: World, driver: Driver) -> None:
        for greeting in ("one", "two", "three"):
            driver.deploy(world.service(greeting=greeting))
        assert [(r.revision.number, r.status) for r in driver.history("web")] == [
            (3, RevisionStatus.DEPLOYED),
            (2, RevisionStatus.SUPERSEDED),
            (1, RevisionStatus.SUPERSEDED),
        ]

    def test_rollback_goes_to_the_one_before_as_a_new_revision(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        driver.deploy(world.service(greeting="two"))
        outcome = driver.rollback("web")
        assert (outcome.state, outcome.revision) == (OutcomeState.CONVERGED, 3)
        assert greetings(world.truth("web")) == ["one", "one"]
        assert driver.history("web")[0].revision.rollback_of == 1

    def test_after_a_failure_that_was_rolled_back_it_goes_to_the_one_before_that(
        self, world: World, driver: Driver
    ) -> None:
        """The newest that was superseded has the spec that runs again: going there would change nothing."""
        driver.deploy(world.service(greeting="one"))
        driver.deploy(world.service(greeting="two"))
        assert driver.deploy(world.service(Behaviour.CRASH, greeting="bad")).state is OutcomeState.ROLLED_BACK
        driver.scale("web", "3")
        outcome = driver.rollback("web")
        assert (outcome.state, outcome.revision) == (OutcomeState.CONVERGED, 5)
        assert greetings(world.truth("web")) == ["one"] * 3
        assert driver.history("web")[0].revision.rollback_of == 1

    def test_rollback_three_back_after_scaling_in_between(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        driver.scale("web", "3")
        driver.deploy(world.service(greeting="two"))
        driver.scale("web", "1")
        driver.deploy(world.service(greeting="three"))
        driver.deploy(world.service(greeting="four"))
        driver.scale("web", "3")
        driver.rollback("web", to=1)
        assert greetings(world.truth("web")) == ["one"] * 3

    def test_going_back_goes_back_to_the_secrets_of_that_revision(
        self, world: World, driver: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the provider says today may be the very reason for going back, and it may say nothing at all."""
        claims, wanted = world.backend.capabilities(), (Feature.FILE_SECRET, Feature.SECRET_PROVIDER)
        if {claims[f].support for f in wanted} & {Support.UNSUPPORTED, Support.NOT_YET}:
            pytest.skip("this backend takes no secrets from a provider")
        held = {"/run/pw": File(secret=SecretRef("ORCHCTL_TEST_PW", source="env"))}
        for value in ("first", "second"):
            monkeypatch.setenv("ORCHCTL_TEST_PW", value)
            driver.deploy(replace(world.service(), files=held))
        bad = replace(world.service(Behaviour.CRASH, greeting="bad"), files=held)
        monkeypatch.setenv("ORCHCTL_TEST_PW", "third")
        assert driver.deploy(bad).state is OutcomeState.ROLLED_BACK
        monkeypatch.delenv("ORCHCTL_TEST_PW")
        outcome = driver.rollback("web", to=1)
        assert (outcome.state, outcome.revision) == (OutcomeState.CONVERGED, 5), outcome
        last, back, _, second, first = (r.revision.template_hash for r in driver.history("web"))
        assert (back, last) == (second, first)
        monkeypatch.setenv("ORCHCTL_TEST_PW", "fourth")
        never = replace(SecretRef("ORCHCTL_TEST_PW", source="env"), version="0" * 12)
        planned = driver.plan(replace(world.service(), files={"/run/pw": File(secret=never)}))
        assert any("not kept any more" in note for note in planned.plan.notes)

    def test_a_rolled_back_service_equals_its_old_spec(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        driver.deploy(world.service(greeting="two"))
        driver.rollback("web")
        assert driver.plan(world.service(greeting="one")).plan.is_empty
        assert driver.deploy(world.service(greeting="one")).state is OutcomeState.UNCHANGED

    def test_rollback_to_a_revision_that_is_not_kept_names_those_that_are(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        with pytest.raises(NotFound) as caught:
            driver.rollback("web", to=7)
        assert "1" in caught.value.hint

    def test_rollback_without_an_earlier_revision_is_not_found(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        with pytest.raises(NotFound):
            driver.rollback("web")

    def test_the_oldest_revisions_are_pruned(self, world: World, driver: Driver) -> None:
        for number in range(KEPT_REVISIONS + 2):
            driver.deploy(world.service(greeting=f"g{number}").sized(1))
        kept = [r.revision.number for r in driver.history("web")]
        assert kept == list(range(KEPT_REVISIONS + 2, 2, -1))
        assert driver.rollback("web", to=3).state is OutcomeState.CONVERGED
        assert greetings(world.truth("web")) == ["g2"]
