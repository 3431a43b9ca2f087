"""Deploying: converge, change nothing twice, change what was asked, remove what was removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.capability import Feature, Support
from orchctl.core.codec import from_plain, to_plain
from orchctl.core.plan import Op, Plan, Policy
from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Amount, Expose, File, Health, Service, Strategy
from orchctl.engine.rollout import DeployOptions
from orchctl.errors import ForeignObject, StalePlan, UnsupportedFeature
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour, Truth, World


def greetings(truth: Truth) -> list[str]:
    """GREETING of every running process, sorted."""
    return sorted(env.get("GREETING", "") for env in truth.running.values())


class DeployContract:
    def test_first_deploy_runs_what_was_asked(self, world: World, driver: Driver) -> None:
        outcome = driver.deploy(world.service(greeting="one"))
        assert (outcome.state, outcome.revision, outcome.exit_code) == (OutcomeState.CONVERGED, 1, 0)
        assert greetings(world.truth("web")) == ["one", "one"]

    def test_second_deploy_writes_nothing_and_restarts_nothing(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        running, writes = set(world.truth("web").running), world.writes()
        for _ in range(2):
            assert driver.deploy(world.service()).state is OutcomeState.UNCHANGED
        assert world.writes() == writes
        assert set(world.truth("web").running) == running

    def test_plan_is_empty_after_deploy_and_complete_before(self, world: World, driver: Driver) -> None:
        before = driver.plan(world.service()).plan
        assert any(c.path == "env.GREETING" and c.after == "one" for c in before.changes)
        driver.deploy(world.service())
        assert driver.plan(world.service()).plan.changes == ()

    def test_plan_names_the_changed_field_and_that_it_restarts(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        changes = driver.plan(world.service(greeting="two")).plan.changes
        assert [(c.path, c.before, c.after, c.restarts) for c in changes] == [("env.GREETING", "one", "two", True)]

    def test_a_changed_count_alone_restarts_nothing(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        running = set(world.truth("web").running)
        driver.deploy(world.service().sized(3))
        assert len(world.truth("web").running) == 3
        assert running < set(world.truth("web").running)

    def test_update_replaces_every_instance_and_keeps_the_wanted_number_serving(
        self, world: World, driver: Driver
    ) -> None:
        driver.deploy(world.service(greeting="one"))
        counts: list[int] = []
        driver.on_event = lambda _event: counts.append(len(world.truth("web").running))
        driver.deploy(world.service(greeting="two"))
        assert greetings(world.truth("web")) == ["two", "two"]
        assert min(counts) >= 2
        assert max(counts) <= 3

    def test_max_unavailable_one_keeps_two_of_three(self, world: World, driver: Driver) -> None:
        def three(greeting: str) -> Service:
            service = world.service(greeting=greeting).sized(3)
            rollout = replace(service.rollout, max_surge=Amount(0), max_unavailable=Amount(1))
            return replace(service, rollout=rollout)

        driver.deploy(three("one"))
        counts: list[int] = []
        driver.on_event = lambda _event: counts.append(len(world.truth("web").running))
        driver.deploy(three("two"))
        assert greetings(world.truth("web")) == ["two"] * 3
        assert min(counts) >= 2

    def test_recreate_never_runs_two_versions_at_once(self, world: World, driver: Driver) -> None:
        claim = world.backend.capabilities()[Feature.ROLLOUT_RECREATE]
        if claim.support is not Support.NATIVE:
            pytest.skip(claim.reason)

        def service(greeting: str) -> Service:
            wanted = world.service(greeting=greeting)
            return replace(wanted, rollout=replace(wanted.rollout, strategy=Strategy.RECREATE))

        driver.deploy(service("one"))
        seen: list[set[str]] = []
        driver.on_event = lambda _event: seen.append(set(greetings(world.truth("web"))))
        driver.deploy(service("two"))
        assert greetings(world.truth("web")) == ["two", "two"]
        assert {"one", "two"} not in seen

    def test_a_removed_variable_is_really_removed(self, world: World, driver: Driver) -> None:
        service = world.service()
        driver.deploy(replace(service, env={**service.env, "extra.name-1": "1"}))
        assert all("extra.name-1" in env for env in world.truth("web").running.values())
        driver.deploy(service)
        assert not any("extra.name-1" in env for env in world.truth("web").running.values())
        assert driver.plan(service).plan.is_empty

    def test_a_removed_port_is_really_removed(self, world: World, driver: Driver) -> None:
        service = world.service()
        more = replace(service, ports=(*service.ports, replace(service.ports[0], name="extra", port=9099)))
        driver.deploy(more)
        assert {e.port_name for e in driver.discover("web")} >= {"extra"}
        driver.deploy(service)
        assert "extra" not in {e.port_name for e in driver.discover("web")}
        assert driver.plan(service).plan.is_empty

    def test_ports_in_another_order_are_another_template(self, world: World, driver: Driver) -> None:
        """The first one is ``PORT``."""
        service = replace(world.service(), health=Health())  # what it answers at is not the matter
        service = replace(service, ports=(*service.ports, replace(service.ports[0], name="extra", port=9099)))
        driver.deploy(service)
        running = set(world.truth("web").running)
        turned = replace(service, ports=service.ports[::-1])
        assert [(c.path, c.restarts) for c in driver.plan(turned).plan.changes] == [("ports", True)]
        assert driver.deploy(turned).state is OutcomeState.CONVERGED
        assert not running & set(world.truth("web").running)
        assert driver.plan(turned).plan.is_empty

    def test_a_deadline_of_checks_without_a_check_changes_nothing(self, world: World, driver: Driver) -> None:
        service = replace(world.service(), health=Health())
        driver.deploy(service)
        running = set(world.truth("web").running)
        later = replace(service, health=Health(start_deadline_ms=40_000))
        assert driver.plan(later).plan.is_empty
        assert driver.deploy(later).exit_code == 0
        assert set(world.truth("web").running) == running

    def test_a_changed_file_rolls_the_instances(self, world: World, driver: Driver) -> None:
        service = world.service()
        one = replace(service, files={"/etc/motd": File(content=b"one")})
        two = replace(service, files={"/etc/motd": File(content=b"two")})
        driver.deploy(one)
        running = set(world.truth("web").running)
        driver.deploy(two)
        assert not running & set(world.truth("web").running)
        assert driver.rollback("web").state is OutcomeState.CONVERGED
        assert driver.plan(one).plan.is_empty

    def test_a_removed_file_is_really_removed(self, world: World, driver: Driver) -> None:
        service = world.service()
        more = replace(service, files={"/etc/motd": File(content=b"one"), "/etc/issue": File(content=b"two")})
        driver.deploy(more)
        one = replace(more, files={"/etc/motd": more.files["/etc/motd"]})
        for fewer, gone in ((one, "/etc/issue"), (service, "/etc/motd")):
            running, changes = set(world.truth("web").running), driver.plan(fewer).plan.changes
            assert changes
            assert all(c.op is Op.REMOVE and gone in c.path for c in changes)
            assert driver.deploy(fewer).state is OutcomeState.CONVERGED
            assert not running & set(world.truth("web").running)
            assert driver.plan(fewer).plan.is_empty

    def test_labels_change_without_a_restart(self, world: World, driver: Driver) -> None:
        claim = world.backend.capabilities()[Feature.LABELS]
        if claim.support is not Support.NATIVE:
            pytest.skip(claim.reason)
        driver.deploy(world.service())
        running = set(world.truth("web").running)
        outcome = driver.deploy(replace(world.service(), labels={"team": "checkout"}))
        assert outcome.state is OutcomeState.CONVERGED
        assert set(world.truth("web").running) == running

    def test_a_change_behind_our_back_is_seen_and_put_right(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        world.tamper("web")
        changes = driver.plan(world.service(greeting="one")).plan.changes
        assert [(c.path, c.before, c.after) for c in changes] == [("env.GREETING", "tampered", "one")]
        driver.deploy(world.service(greeting="one"))
        assert greetings(world.truth("web")) == ["one", "one"]

    def test_a_foreign_object_of_that_name_is_left_alone(self, world: World, driver: Driver) -> None:
        world.foreign("web")
        writes = world.writes()
        with pytest.raises(ForeignObject):
            driver.deploy(world.service())
        assert world.writes() == writes

    def test_a_saved_plan_is_refused_once_the_service_moved(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        saved = from_plain(Plan, to_plain(driver.plan(world.service(greeting="two")).plan))
        driver.deploy(world.service(greeting="three"))
        with pytest.raises(StalePlan):
            driver.deploy(world.service(greeting="two"), DeployOptions(saved=saved))
        assert greetings(world.truth("web")) == ["three", "three"]

    def test_a_saved_plan_that_still_holds_is_carried_out(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        saved = from_plain(Plan, to_plain(driver.plan(world.service(greeting="two")).plan))
        driver.deploy(world.service(greeting="two"), DeployOptions(saved=saved))
        assert greetings(world.truth("web")) == ["two", "two"]

    def test_zero_replicas_converge_at_once(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        assert driver.deploy(world.service().sized(0)).state is OutcomeState.CONVERGED
        assert world.truth("web").running == {}

    def test_fixed_host_port_with_surge_is_refused_before_anything_is_sent(self, world: World, driver: Driver) -> None:
        service = world.service()
        port = replace(service.ports[0], expose=Expose.HOST, published=18080)
        surging = replace(service, ports=(port,), rollout=replace(service.rollout, max_surge=Amount(1)))
        assert any(i.policy is Policy.REJECT for i in world.backend.check(surging))
        requests = world.writes()
        with pytest.raises(UnsupportedFeature):
            driver.deploy(surging)
        assert world.writes() == requests

    def test_restart_replaces_every_instance_and_makes_no_revision(self, world: World, driver: Driver) -> None:
        driver.deploy(world.service())
        running = set(world.truth("web").running)
        assert driver.restart("web").state is OutcomeState.CONVERGED
        assert not running & set(world.truth("web").running)
        assert len(world.truth("web").running) == 2
        assert [r.revision.number for r in driver.history("web")] == [1]

    def test_the_good_service_answers_with_its_greeting(self, world: World, driver: Driver) -> None:
        """Keeps ``Behaviour.GOOD`` honest: two ready endpoints, of revision 1."""
        driver.deploy(world.service(Behaviour.GOOD))
        endpoints = [e for e in driver.discover("web") if e.ready and e.instance]
        assert {e.revision for e in endpoints} == {1}
        assert len({e.instance for e in endpoints}) == 2
