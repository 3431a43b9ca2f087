"""Where intentions cannot be written, or nobody enforces them: refused, told, and never called done."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from orchctl.core.plan import Policy
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import Event, OutcomeState
from orchctl.errors import (
    AuthRefused,
    OutcomeUnknown,
    Unreachable,
    UnsupportedFeature,
    UsageError,
)
from orchctl.testing.driver import Driver
from tests.cli.conftest import cli as cli
from tests.cli.harness import CommandLine
from tests.contract.mesh import entry, in_mesh, rule, with_allow
from tests.contract.mesh import web as web
from tests.contract.mesh import world as world
from tests.docs.blocks import ROOT
from tests.servers.consul.agent import Consul
from tests.servers.consul.connect import (
    deregister_proxy,
    register_proxy,
)
from tests.servers.consul.front import Answered, Asked, lost_after, lost_before, once
from tests.worlds.consul import FakeWorldInConsul, reached_like

pytestmark = pytest.mark.world_consul

[RULES_OF_THE_PAGE] = re.findall(
    r"```text\n(key_prefix .*?)```", (ROOT / "docs" / "consul.md").read_text("utf-8"), re.DOTALL
)


class TestRefusals:
    def test_a_context_without_a_mesh(self, world: FakeWorldInConsul, web: str) -> None:
        in_mesh(world, mesh=False)
        with pytest.raises(UnsupportedFeature, match="allow: nothing would enforce it: context 'fake' has no catalog"):
            Driver(world).deploy(with_allow(world, web, "a"))

    def test_a_context_that_lost_its_mesh_leaves_no_rule_behind_in_silence(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        Driver(world).deploy(with_allow(world, web, "a"))
        in_mesh(world, mesh=False)
        with pytest.raises(UnsupportedFeature, match="the rule of an earlier deploy cannot be removed"):
            Driver(world).deploy(world.service(name=web))
        with pytest.raises(UsageError, match="was deployed with allow, and its rule cannot be removed"):
            Driver(world).delete(web)
        in_mesh(world)
        Driver(world).delete(web)
        assert entry(consul, web) is None

    def test_a_mesh_that_is_off(self, tmp_path: Path) -> None:
        with Consul(settings={"connect": {"enabled": False}}) as off:
            world = FakeWorldInConsul(off, tmp_path)
            in_mesh(world)
            with pytest.raises(UnsupportedFeature, match=r"Connect is off in Consul at .* \(connect.enabled"):
                Driver(world).deploy(with_allow(world, "web", "a"))
            world.close()

    def test_a_service_that_runs_without_a_proxy_and_starts_nothing_that_could_bring_one(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        Driver(world).deploy(world.service(name=web))
        deregister_proxy(consul.api, web)
        with pytest.raises(UnsupportedFeature, match="no new instance brings one"):
            Driver(world).deploy(with_allow(world, web, "a"))
        assert entry(consul, web) is None
        [issue] = Driver(world).plan(with_allow(world, web, "a", greeting="two")).plan.issues
        assert (issue.path, issue.policy) == ("allow", Policy.WARN)

    def test_a_service_whose_instances_brought_no_proxy_is_not_called_protected(
        self, world: FakeWorldInConsul, consul: Consul
    ) -> None:
        name = f"bare-{uuid.uuid4().hex[:6]}"
        service = with_allow(world, name, "a")
        outcome = Driver(world).deploy(service)
        assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
        assert f"no Connect proxy for '{name}' is registered in Consul at {world.front.url}" in outcome.message
        assert Driver(world).history(name)[0].status is RevisionStatus.FAILED
        register_proxy(consul.api, name)
        assert Driver(world).deploy(service).state is OutcomeState.CONVERGED
        deregister_proxy(consul.api, name)
        Driver(world).delete(name)

    def test_a_proxy_may_come_a_little_later_than_its_instance(self, world: FakeWorldInConsul, consul: Consul) -> None:
        name = f"late-{uuid.uuid4().hex[:6]}"
        looks: list[str] = []

        def at_the_fourth(asked: Asked, carry_out: Callable[[], Answered]) -> Answered:
            looks.extend([name] if asked.path == f"/v1/catalog/connect/{name}" else [])
            if len(looks) == 4:
                register_proxy(consul.api, name)
            return carry_out()

        world.front.strike = at_the_fourth
        assert Driver(world).deploy(with_allow(world, name, "a")).state is OutcomeState.CONVERGED
        assert len(looks) == 4, "two plans, two looks at the end"
        deregister_proxy(consul.api, name)
        Driver(world).delete(name)

    def test_the_policy_of_the_page_is_enough(self, secured_consul: Consul, tmp_path: Path) -> None:
        world = FakeWorldInConsul(secured_consul, tmp_path)
        rules = RULES_OF_THE_PAGE.replace("orchctl/edge/", f"orchctl/{world.context.cluster}/")
        assert 'intentions = "write"' in rules
        in_mesh(world, consul=secured_consul.url, **reached_like(secured_consul, tmp_path / "token", rules))
        register_proxy(secured_consul.api, "paged")
        for callers in (("a",), ()):
            assert Driver(world).deploy(with_allow(world, "paged", *callers)).exit_code == 0
        Driver(world).delete("paged")
        assert entry(secured_consul, "paged") is None
        world.close()

    def test_a_token_without_the_right_is_told_the_rule_and_gets_on_with_it(
        self, secured_consul: Consul, tmp_path: Path
    ) -> None:
        secured_consul.api.put(
            "/v1/catalog/register",
            {
                "Node": "elsewhere",
                "Address": "192.0.2.1",
                "Service": {
                    "Kind": "connect-proxy",
                    "Service": "p",
                    "Port": 1,
                    "Proxy": {"DestinationServiceName": "w"},
                },
            },
        )
        world = FakeWorldInConsul(secured_consul, tmp_path)
        url = secured_consul.url
        records = f'key_prefix "orchctl/{world.context.cluster}/" {{ policy = "write" }} session_prefix "" {{ policy = "write" }}\n'
        rules, service = records, with_allow(world, "w", "a")
        for missing in (
            'service "w" { policy = "read" intentions = "read" }',
            'service "w" { policy = "read" intentions = "write" }',
        ):
            in_mesh(world, consul=url, **reached_like(secured_consul, tmp_path / "token", rules))
            with pytest.raises(AuthRefused) as caught:
                Driver(world).deploy(service)
            assert caught.value.hint == f"the token's policy needs: {missing}"
            rules = f'{records}{missing}\nservice_prefix "p" {{ policy = "read" }} node_prefix "" {{ policy = "read" }}'
        in_mesh(world, consul=url, **reached_like(secured_consul, tmp_path / "token", rules))
        assert Driver(world).deploy(service).exit_code == 0
        Driver(world).delete("w")
        world.close()


class TestTrouble:
    def test_a_lost_answer_to_a_rule_that_was_written_is_read_back(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        world.front.strike = once(lost_after, path="/v1/config")
        assert Driver(world).deploy(with_allow(world, web, "a")).state is OutcomeState.CONVERGED
        assert rule(consul, web) == {"a": "allow", "*": "deny"}

    def test_a_rule_that_never_arrived_starts_nothing(self, world: FakeWorldInConsul, consul: Consul, web: str) -> None:
        world.front.strike = once(lost_before, path="/v1/config")
        with pytest.raises(OutcomeUnknown):
            Driver(world).deploy(with_allow(world, web, "a"))
        assert not world.truth(web).exists
        assert Driver(world).deploy(with_allow(world, web, "a")).state is OutcomeState.CONVERGED
        assert rule(consul, web) == {"a": "allow", "*": "deny"}

    def test_a_mesh_that_is_gone_when_the_new_version_serves_is_not_called_done(
        self, world: FakeWorldInConsul, consul: Consul, web: str
    ) -> None:
        """Records are with the same Consul: what is lost is the one request that refuses the old caller."""
        Driver(world).deploy(with_allow(world, web, "a"))
        service = with_allow(world, web, "b", greeting="two")
        world.front.strike = once(lost_before, path="/v1/config", skip=1)
        with pytest.raises(
            Unreachable, match=f"revision 2 of '{web}' runs, but who may call it is not settled"
        ) as caught:
            Driver(world).deploy(service)
        assert (caught.value.exit_code, caught.value.hint) == (9, "run the same command again; it goes on from here")
        assert Driver(world).history(web)[0].status is RevisionStatus.PENDING
        assert rule(consul, web) == {"a": "allow", "b": "allow", "*": "deny"}
        assert Driver(world).deploy(service).state is OutcomeState.CONVERGED
        assert rule(consul, web) == {"b": "allow", "*": "deny"}
        assert [r.revision.number for r in Driver(world).history(web)] == [2, 1]

    def test_consul_killed_between_grant_and_refusal(self, own_consul: Consul, tmp_path: Path) -> None:
        world = FakeWorldInConsul(own_consul, tmp_path)
        in_mesh(world)
        register_proxy(own_consul.api, "web")
        Driver(world).deploy(with_allow(world, "web", "a"))

        def kill(event: Event) -> None:
            if event.text.startswith("may call: "):
                own_consul.kill()

        service = with_allow(world, "web", "b", greeting="two")
        with pytest.raises(Unreachable) as caught:
            Driver(world, on_event=kill).deploy(service)
        assert caught.value.exit_code == 9
        own_consul.start()
        assert rule(own_consul, "web") == {"a": "allow", "b": "allow", "*": "deny"}
        assert Driver(world).deploy(service).exit_code == 0
        assert rule(own_consul, "web") == {"b": "allow", "*": "deny"}
        world.close()


class TestCommands:
    def test_plan_deploy_and_doctor_say_it_in_words(self, cli: CommandLine, consul: Consul, web: str) -> None:
        config = f'default = "test"\n[contexts.test]\nbackend = "fake"\ncatalog = "main"\ncluster = "test-{web}"\n'
        cli.write(".orchctl.toml", f'{config}[catalogs.main]\nconsul = "{consul.url}"\nmesh = true\n')
        spec = "name: {}\nimage: web:1\nreplicas: 1\nrollout: {{min_ready: 0s}}\nallow: [{}]\n"
        cli.write("orch.yaml", spec.format(web, "frontend"))
        assert cli("deploy").code == 0
        cli.write("orch.yaml", spec.format(web, "reports"))
        plan = cli("plan", "--exit-code")
        assert plan.code == 3
        assert '~ allow: ["frontend"] -> ["reports"]\n' in plan.out
        assert "who may call: reports; nobody else\n  1 change; nothing restarts\n" in plan.out
        doctor = cli("doctor")
        assert doctor.code == 0
        assert f"Connect is on in Consul at {consul.url}" in doctor.out
        assert "may say who may call a service" in doctor.out
        cli.write(".orchctl.toml", f'{config}[catalogs.main]\nconsul = "{consul.url}"\n')
        refused = cli("plan")
        assert (refused.code, "has no catalog with mesh = true" in refused.err) == (2, True)
