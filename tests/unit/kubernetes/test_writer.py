"""Changing the Deployment: on what was read, without taking anything from anybody who still wants it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.rollout import Handle
from orchctl.core.service import Scaling, Service
from orchctl.errors import Conflict, FieldConflict, ForeignObject, StalePlan, UsageError
from orchctl_kubernetes.names import RESTARTED, REVISION
from tests.unit.kubernetes.cluster import Interference, cluster
from tests.unit.kubernetes.observed import Raw
from tests.unit.kubernetes.sample import sample
from tests.unit.kubernetes.writing import SCALERS, WEB, World, conflict

ONE, TWO = sample(ports=(), image="web:1"), sample(ports=(), image="web:2")
FOLLOWED = sample(ports=(), scaling=Scaling(min=2, max=9, cpu_percent=70))
CHANGES = ("deploy", "scale", "restart", "delete")
STATUS_MOVES: Raw = {"status": {"readyReplicas": 1}}
SOMEBODY_DEPLOYS: Raw = {"spec": {"minReadySeconds": 77}}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with cluster("shop") as found:
        yield World(found, tmp_path)


def mark(world: World) -> str:
    annotations = world.deployment["spec"]["template"]["metadata"].get("annotations", {})
    return str(annotations.get(RESTARTED, ""))


def pause(world: World, handle: Handle) -> None:
    world.writer.pause(handle)
    assert world.deployment["spec"]["paused"] is True


def test_the_first_deploy_makes_the_deployment(world: World) -> None:
    handle = world.deploy(ONE)
    assert world.wrote() == ["PATCH deployments/web"]
    assert (handle.service, handle.replicas, handle.ref) == ("web", 2, world.deployment["metadata"]["uid"])
    assert handle.template_hash == world.reader.live("shop", ["web"])["web"].template_hash


def test_the_revision_is_noted_where_it_restarts_nothing(world: World) -> None:
    world.deploy(ONE, revision=1)
    template = world.deployment["spec"]["template"]
    world.deploy(ONE, revision=2)
    assert world.deployment["metadata"]["annotations"][REVISION] == "2"
    assert world.deployment["spec"]["template"] == template


class TestRestart:
    def test_a_restart_changes_the_template_and_not_its_hash(self, world: World) -> None:
        before = world.deploy(ONE)
        after = world.writer.restart("shop", "web", expect=world.expect)
        assert mark(world)
        assert (after.template_hash, after.ref) == (before.template_hash, before.ref)

    def test_a_restart_lets_a_paused_rollout_go_on(self, world: World) -> None:
        pause(world, world.deploy(ONE))
        world.writer.restart("shop", "web", expect=world.expect)
        assert world.deployment["spec"]["paused"] is False

    def test_the_mark_stays_through_every_deploy(self, world: World) -> None:
        world.deploy(ONE)
        world.writer.restart("shop", "web", expect=world.expect)
        asked = mark(world)
        for service in (ONE, TWO, ONE):
            world.deploy(service)
            assert mark(world) == asked

    def test_a_service_that_was_never_restarted_has_none(self, world: World) -> None:
        world.deploy(ONE)
        world.deploy(TWO)
        assert mark(world) == ""

    def test_the_same_template_after_a_pause_is_tried_again_with_new_pods(self, world: World) -> None:
        pause(world, world.deploy(ONE))
        world.deploy(ONE)
        first = mark(world)
        assert first.startswith(" again ")
        pause(world, world.deploy(ONE))
        world.deploy(ONE)
        assert mark(world) > first

    def test_going_back_finds_the_pods_as_they_were_before_the_second_try(self, world: World) -> None:
        world.deploy(ONE)
        world.writer.restart("shop", "web", expect=world.expect)
        good = mark(world)
        pause(world, world.deploy(TWO))
        world.deploy(TWO)
        assert mark(world).startswith(f"{good} again ")
        world.deploy(ONE)
        assert mark(world) == good

    def test_another_template_after_a_pause_needs_no_new_mark(self, world: World) -> None:
        pause(world, world.deploy(ONE))
        world.deploy(TWO)
        assert mark(world) == ""


class TestPause:
    def test_pausing_twice_writes_once(self, world: World) -> None:
        handle = world.deploy(ONE)
        for _ in range(2):
            pause(world, handle)
        assert world.wrote() == ["PATCH deployments/web"] * 2

    def test_a_rollout_that_is_not_ours_any_more_is_left_alone(self, world: World) -> None:
        handle = world.deploy(ONE)
        world.deploy(TWO)
        world.writer.pause(handle)
        assert not world.deployment["spec"]["paused"]

    def test_a_pause_is_tried_again_while_the_status_moves(self, world: World) -> None:
        handle = world.deploy(ONE)
        world.meanwhile(STATUS_MOVES)
        pause(world, handle)


class TestExpectation:
    """Every change is made on what was read."""

    @pytest.mark.parametrize("expect", ["", "u-9/0123456789abcdef"])
    def test_a_deploy_on_something_else_than_was_read_is_refused(self, world: World, expect: str) -> None:
        world.deploy(ONE)
        with pytest.raises(StalePlan):
            world.deploy(TWO, expect=expect)
        assert len(world.wrote()) == 1

    def test_a_service_that_has_gone_meanwhile_is_not_made_anew(self, world: World) -> None:
        world.deploy(ONE)
        expect = world.expect
        world.cluster.objects.clear()
        for change in CHANGES:
            with pytest.raises(StalePlan):
                self.carry_out(world, change, expect)
        assert len(world.wrote()) == 1

    def test_a_deployment_that_is_not_ours_is_never_touched(self, world: World) -> None:
        world.cluster.put(WEB, {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {}})
        with pytest.raises(ForeignObject):
            world.deploy(ONE, expect="")
        assert world.wrote() == []

    def test_a_service_that_is_still_being_deleted_has_to_go_first(self, world: World) -> None:
        world.deploy(ONE)
        world.cluster.change(WEB, {"metadata": {"deletionTimestamp": "2026-11-23T09:00:00Z"}})
        with pytest.raises(Conflict, match="still being deleted"):
            world.deploy(ONE, expect="")

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_version_that_only_the_status_has_moved_is_tried_again(self, world: World, change: str) -> None:
        world.deploy(ONE)
        world.meanwhile(STATUS_MOVES)
        self.carry_out(world, change, world.expect)
        assert len(world.wrote(since=1)) == 2

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_definition_that_has_moved_is_not_overwritten(self, world: World, change: str) -> None:
        world.deploy(ONE)
        world.meanwhile(SOMEBODY_DEPLOYS)
        with pytest.raises(StalePlan):
            self.carry_out(world, change, world.expect)
        assert world.deployment["spec"]["minReadySeconds"] == 77

    def test_a_version_that_never_stands_still_is_given_up(self, world: World) -> None:
        world.deploy(ONE)
        world.cluster.before = [lambda: world.cluster.change(WEB, STATUS_MOVES)] * 20
        with pytest.raises(StalePlan, match="keeps changing"):
            world.deploy(TWO)
        assert len(world.wrote(since=1)) == 10

    def carry_out(self, world: World, change: str, expect: str) -> None:
        if change == "deploy":
            world.deploy(TWO, expect=expect)
        elif change == "scale":
            world.writer.scale("shop", "web", 3, expect=expect)
        elif change == "restart":
            world.writer.restart("shop", "web", expect=expect)
        else:
            world.writer.delete("shop", "web", expect=expect)


class TestCount:
    def test_scale_changes_the_count_and_nothing_else(self, world: World) -> None:
        world.deploy(ONE)
        before = world.deployment["spec"]
        handle = world.writer.scale("shop", "web", 5, expect=world.expect)
        assert handle.replicas == 5
        assert world.wrote(since=1) == ["PATCH web/scale"]
        assert world.deployment["spec"] == before | {"replicas": 5}

    @pytest.mark.parametrize(("target", "refused"), [("web", True), ("api", False)])
    def test_a_count_that_an_autoscaler_decides_is_not_changed_by_hand(
        self, world: World, target: str, refused: bool
    ) -> None:
        world.deploy(ONE)
        self.autoscaler(world, target)
        if refused:
            with pytest.raises(UsageError, match="'theirs'"):
                world.writer.scale("shop", "web", 5, expect=world.expect)
        else:
            assert world.writer.scale("shop", "web", 5, expect=world.expect).replicas == 5

    def test_the_first_deploy_with_an_autoscaler_says_where_it_starts(self, world: World) -> None:
        world.deploy(FOLLOWED)
        assert self.counts(world) == [("orchctl", 2)]

    def test_the_count_is_handed_over_before_an_autoscaler_takes_it(self, world: World) -> None:
        """Left out by its only owner it would fall back to 1."""
        world.deploy(ONE)
        world.cluster.change(WEB, {"spec": {"replicas": 6}})
        world.deploy(FOLLOWED)
        assert self.counts(world)[1:] == [("orchctl-handover", 6), ("orchctl", None)]
        assert world.deployment["spec"]["replicas"] == 6

    def test_it_is_handed_over_once(self, world: World) -> None:
        for service in (ONE, FOLLOWED, FOLLOWED):
            world.deploy(service)
        assert [manager for manager, _ in self.counts(world)] == ["orchctl", "orchctl-handover", "orchctl", "orchctl"]

    def test_a_count_that_somebody_else_owns_as_well_needs_no_hand_over(self, world: World) -> None:
        world.deploy(ONE)
        fields: Raw = {"f:spec": {"f:replicas": {}}}
        scaled = {"manager": "kubectl", "operation": "Update", "subresource": "scale", "fieldsV1": fields}
        entries = world.deployment["metadata"]["managedFields"]
        world.cluster.change(WEB, {"metadata": {"managedFields": [*entries, scaled]}})
        world.deploy(FOLLOWED)
        assert self.counts(world)[1:] == [("orchctl", None)]

    def test_a_count_that_was_handed_over_on_a_stale_version_is_so_only_once_more(self, world: World) -> None:
        world.deploy(ONE)
        expect = world.expect
        nothing: list[Interference | None] = [None, None]  # the autoscaler and the count
        world.cluster.before = [*nothing, lambda: world.cluster.change(WEB, STATUS_MOVES)]
        world.deploy(FOLLOWED, expect=expect)
        assert [m for m, _ in self.counts(world)[1:]] == ["orchctl-handover", "orchctl", "orchctl"]

    def autoscaler(self, world: World, target: str) -> None:
        spec = {"scaleTargetRef": {"kind": "Deployment", "name": target}}
        world.cluster.put(f"{SCALERS}/theirs", {"metadata": {"name": "theirs"}, "spec": spec})

    def counts(self, world: World) -> list[tuple[str, Any]]:
        """Who has sent which count in an apply of the Deployment."""
        sent = zip(world.cluster.writes, world.cluster.queries, strict=True)
        return [(query["fieldManager"], body["spec"].get("replicas")) for (_, p, body), query in sent if p == WEB]


class TestFieldConflict:
    OURS = ['"orchctl"', '"orchctl" with subresource "scale"', '"orchctl-handover"']
    SCALER = '"kube-controller-manager" with subresource "scale"'

    @pytest.mark.parametrize("manager", OURS)
    def test_what_orchctl_has_set_in_another_way_is_no_conflict(self, world: World, manager: str) -> None:
        self.deploy(world, conflict(manager))
        assert self.forced(world) == [False, True]

    @pytest.mark.parametrize("managers", [('"helm"',), ('"orchctl"', '"helm"'), (SCALER, '"helm"'), ('"orchctl2"',)])
    def test_what_somebody_else_has_set_is_told_and_left(self, world: World, managers: tuple[str, ...]) -> None:
        with pytest.raises(FieldConflict) as caught:
            self.deploy(world, conflict(*managers))
        assert len(caught.value.fields) == len(managers)
        assert self.forced(world) == [False]

    def test_what_an_autoscaler_has_set_that_is_no_more_is_taken_back(self, world: World) -> None:
        self.deploy(world, conflict(self.SCALER))
        assert self.forced(world) == [False, True]

    def test_what_an_autoscaler_of_somebody_else_sets_is_told(self, world: World) -> None:
        TestCount().autoscaler(world, "web")
        with pytest.raises(FieldConflict):
            self.deploy(world, conflict(self.SCALER))

    def test_with_leave_to_force_everything_is_taken_at_once(self, world: World, tmp_path: Path) -> None:
        World(world.cluster, tmp_path, force=True).deploy(ONE)
        assert self.forced(world) == [True]

    def test_taking_back_is_on_the_version_that_was_read(self, world: World) -> None:
        self.deploy(world, conflict('"orchctl"'))
        first, second = (body["metadata"]["resourceVersion"] for _, _, body in world.cluster.writes[1:])
        assert first == second

    def deploy(self, world: World, answer: Any, service: Service = TWO) -> None:
        world.deploy(ONE)
        world.cluster.before = [lambda: answer]
        world.deploy(service)

    def forced(self, world: World) -> list[bool]:
        """Of every apply but the one that made the Deployment, unless that was all."""
        found = ["force" in query for query in world.cluster.queries]
        return found[1:] or found
