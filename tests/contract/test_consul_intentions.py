"""Who may call: real services behind real Connect proxies, and what a deploy writes into a real Consul meanwhile."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from orchctl.core.plan import Change, Op
from orchctl.core.rollout import Event, OutcomeState
from orchctl.engine.operation import Limits
from orchctl.engine.rollout import DeployOptions
from orchctl.errors import (
    Conflict,
    ForeignObject,
)
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.contract.mesh import entry, rule, with_allow
from tests.contract.mesh import web as web
from tests.contract.mesh import world as world
from tests.servers.consul.agent import Consul
from tests.worlds.consul import FakeWorldInConsul

pytestmark = pytest.mark.world_consul


class TestOrder:
    def test_grants_come_before_the_definition_and_refusals_after_it(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        Driver(world).deploy(with_allow(world, web, "a", "b"))
        seen: dict[str, dict[str, str] | None] = {}

        def look(event: Event) -> None:
            seen[event.text] = rule(consul, web)

        Driver(world, on_event=look).deploy(with_allow(world, web, "b", "c", greeting="two"))
        assert seen["apply revision 2"] == {"a": "allow", "b": "allow", "c": "allow", "*": "deny"}
        assert rule(consul, web) == {"b": "allow", "c": "allow", "*": "deny"}

    def test_a_running_service_that_was_open_is_closed_only_when_its_new_version_serves(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        Driver(world).deploy(world.service(name=web))
        seen: dict[str, dict[str, str] | None] = {}

        def look(event: Event) -> None:
            seen[event.text] = rule(consul, web)

        Driver(world, on_event=look).deploy(with_allow(world, web, "a", greeting="two"))
        assert seen["apply revision 2"] == {"a": "allow"}, "allowed also where the mesh denies by default"
        assert rule(consul, web) == {"a": "allow", "*": "deny"}

    def test_a_new_service_is_closed_before_it_runs(self, world: FakeWorldInConsul, consul: Consul, web: str) -> None:
        seen: dict[str, dict[str, str] | None] = {}

        def look(event: Event) -> None:
            seen[event.text] = rule(consul, web)

        Driver(world, on_event=look).deploy(with_allow(world, web))
        assert seen["apply revision 1"] == {"*": "deny"}

    def test_a_bad_release_refuses_nobody_and_leaves_the_old_rule(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        always: list[str] = []

        def look(_event: Event) -> None:
            always.append((rule(consul, web) or {}).get("a", ""))

        crashing = replace(world.service(Behaviour.CRASH, name=web), allow=("b",))
        outcome = Driver(world, on_event=look).deploy(crashing)
        assert outcome.state is OutcomeState.ROLLED_BACK
        assert set(always) == {"allow"}
        assert rule(consul, web) == {"a": "allow", "*": "deny"}

    def test_a_deploy_that_does_not_wait_leaves_the_refusals_to_one_that_does(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        options = DeployOptions(limits=Limits(wait=False))
        outcome = Driver(world).deploy(with_allow(world, web, "b"), options)
        assert (outcome.state, rule(consul, web)) == (
            OutcomeState.IN_PROGRESS,
            {"a": "allow", "b": "allow", "*": "deny"},
        )
        assert outcome.message == "who may not call it any more is refused by a deploy that waits"
        assert Driver(world).deploy(with_allow(world, web, "b")).exit_code == 0
        assert rule(consul, web) == {"b": "allow", "*": "deny"}


class TestPlan:
    def test_it_shows_who_may_call_and_that_nothing_restarts(self, world: FakeWorldInConsul, web: str) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        plan = Driver(world).plan(with_allow(world, web, "b", "c")).plan
        assert plan.changes == (Change(path="allow", op=Op.UPDATE, before=["a"], after=["b", "c"]),)
        assert not plan.restarts
        assert plan.notes == ("who may call: b, c; nobody else",)

    def test_the_backend_hears_nothing_of_it(self, world: FakeWorldInConsul, web: str) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        before = world.cluster.definitions["test", web]
        assert before.service.allow is None
        running = set(world.truth(web).running)
        assert Driver(world).deploy(with_allow(world, web)).state is OutcomeState.CONVERGED
        assert world.cluster.definitions["test", web] == before
        assert set(world.truth(web).running) == running
        assert [r.revision.service.allow for r in Driver(world).history(web)] == [(), ("a",)]

    def test_an_unchanged_deploy_writes_nothing(self, world: FakeWorldInConsul, web: str) -> None:
        service = with_allow(world, web, "a")
        Driver(world).deploy(service)
        writes = world.writes()
        assert Driver(world).deploy(service).state is OutcomeState.UNCHANGED
        assert world.writes() == writes

    def test_a_rule_that_somebody_added_to_ours_is_shown_and_taken_back(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        service = with_allow(world, web, "a")
        Driver(world).deploy(service)
        body = {"SourceType": "consul", "Action": "allow"}
        consul.api.put("/v1/connect/intentions/exact", body, source="z", destination=web)
        [change] = Driver(world).plan(service).plan.changes
        assert (change.before, change.after) == (["a", "z"], ["a"])
        before = world.cluster.definitions["test", web]
        assert Driver(world).deploy(service).state is OutcomeState.CONVERGED
        assert rule(consul, web) == {"a": "allow", "*": "deny"}
        assert world.cluster.definitions["test", web] == before

    def test_what_others_say_beside_the_sources_stays(self, world: FakeWorldInConsul, consul: Consul, web: str) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        ours = entry(consul, web)
        assert ours
        written = {key: ours[key] for key in ("Kind", "Name", "Sources")} | {"Meta": ours["Meta"] | {"team": "shop"}}
        consul.api.put("/v1/config", written)
        assert Driver(world).deploy(with_allow(world, web, "b")).exit_code == 0
        assert rule(consul, web) == {"b": "allow", "*": "deny"}
        now = entry(consul, web)
        assert now
        assert now["Meta"] == ours["Meta"] | {"team": "shop"}

    def test_the_token_that_the_mesh_asks_of_callers_stays(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        """``JWT`` is new with Consul 1.16; nothing in orchctl knows it."""
        Driver(world).deploy(with_allow(world, web, "a"))
        ours = entry(consul, web)
        assert ours
        keys = {"Local": {"JWKS": base64.b64encode(b'{"keys": []}').decode()}}
        consul.api.put("/v1/config", {"Kind": "jwt-provider", "Name": web, "JSONWebKeySet": keys})
        jwt = {"Providers": [{"Name": web}]}
        consul.api.put("/v1/config", {key: ours[key] for key in ("Kind", "Name", "Sources", "Meta")} | {"JWT": jwt})
        assert Driver(world).deploy(with_allow(world, web, "b")).exit_code == 0
        assert rule(consul, web) == {"b": "allow", "*": "deny"}
        now = entry(consul, web)
        assert now
        assert [provider["Name"] for provider in now["JWT"]["Providers"]] == [web]

    def test_a_rule_that_only_a_deploy_saw_moving_is_a_conflict(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))

        def meddle(event: Event) -> None:
            if event.text == "apply revision 2":
                body = {"SourceType": "consul", "Action": "allow"}
                consul.api.put("/v1/connect/intentions/exact", body, source="z", destination=web)

        with pytest.raises(Conflict, match=r"was changed in Consul at .* by somebody else since it was read"):
            Driver(world, on_event=meddle).deploy(with_allow(world, web, "b", greeting="two"))
        assert (rule(consul, web) or {})["z"] == "allow"

    def test_leaving_allow_out_takes_the_rule_away(self, world: FakeWorldInConsul, consul: Consul, web: str) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        plan = Driver(world).plan(world.service(name=web)).plan
        assert plan.changes == (Change(path="allow", op=Op.REMOVE, before=["a"]),)
        assert "its default, decide" in plan.notes[0]
        Driver(world).deploy(world.service(name=web))
        assert entry(consul, web) is None
        assert Driver(world).deploy(world.service(name=web)).state is OutcomeState.UNCHANGED

    def test_delete_removes_the_rule(self, world: FakeWorldInConsul, consul: Consul, web: str) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        assert entry(consul, web)
        Driver(world).delete(web)
        assert entry(consul, web) is None


class TestForeign:
    def test_rules_of_somebody_else_are_refused_and_untouched(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        theirs = {"Kind": "service-intentions", "Name": web, "Sources": [{"Name": "x", "Action": "allow"}]}
        consul.api.put("/v1/config", theirs)
        before = entry(consul, web)
        for act in (Driver(world).plan, Driver(world).deploy):
            with pytest.raises(ForeignObject, match="intentions that were not made by orchctl"):
                act(with_allow(world, web, "a"))
        assert not world.truth(web).exists
        Driver(world).deploy(world.service(name=web))
        Driver(world).delete(web)
        assert entry(consul, web) == before

    def test_the_same_name_in_another_namespace_or_cluster_is_another_service(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        before = entry(consul, web)
        elsewhere = replace(with_allow(world, web, "b"), namespace="lab")
        with pytest.raises(ForeignObject, match=f"service '{web}' in namespace 'test' of cluster 'test-"):
            Driver(world).deploy(elsewhere)
        world.context = replace(world.context, cluster="other")
        with pytest.raises(ForeignObject, match="of cluster 'test-"):
            Driver(world).plan(with_allow(world, web, "b"))
        assert entry(consul, web) == before
