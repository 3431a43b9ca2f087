"""Deleting leaves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import File
from orchctl.errors import ForeignObject, NotFound
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour, World


class DeleteContract:
    def test_delete_waits_until_everything_is_gone(self, world: World, driver: Driver) -> None:
        driver.deploy(replace(world.service(), files={"/etc/motd": File(content=b"hello")}))
        assert driver.delete("web").state is OutcomeState.DELETED
        truth = world.truth("web")
        assert (truth.exists, dict(truth.running), truth.leftovers) == (False, {}, ())

    def test_a_failed_service_can_be_deleted(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(Behaviour.CRASH))
        assert driver.delete("web").state is OutcomeState.DELETED
        assert world.truth("web").leftovers == ()

    def test_deleting_one_service_leaves_the_other(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(name="web"))
        driver.deploy(world.service(name="web2"))
        running = set(world.truth("web2").running)
        driver.delete("web")
        assert set(world.truth("web2").running) == running
        assert [r.revision.number for r in driver.history("web2")] == [1]

    def test_deleting_what_is_not_there_is_not_found_and_leaves_no_lease(self, world: World, driver: Driver) -> None:
        with pytest.raises(NotFound):
            driver.delete("absent")
        assert world.truth("absent").leftovers == ()

    @pytest.mark.parametrize("verb", ["scale", "restart"])
    def test_a_mistyped_name_leaves_nothing_that_could_be_deleted(
        self, world: World, driver: Driver, verb: str
    ) -> None:
        with pytest.raises(NotFound):
            driver.scale("absent", "2") if verb == "scale" else driver.restart("absent")
        assert world.truth("absent").leftovers == ()
        assert list(world.context.state_dir.rglob("absent*")) == []
        with pytest.raises(NotFound):
            driver.delete("absent")

    def test_a_foreign_object_is_not_deleted(self, world: World, driver: Driver) -> None:
        world.foreign("web")
        with pytest.raises(ForeignObject):
            driver.delete("web")
        assert world.truth("web").exists

    def test_a_deleted_service_can_be_deployed_again_from_revision_one(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        driver.delete("web")
        assert driver.deploy(world.service()).revision == 1
