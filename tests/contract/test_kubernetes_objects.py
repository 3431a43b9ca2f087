"""What only Kubernetes has: many objects, other managers, autoscalers, quotas. On a real cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.context import Allow
from orchctl.core.rollout import FailureKind, OutcomeState
from orchctl.core.service import Amount, File, Port, Resources, Scaling, Service
from orchctl.engine.rollout import DeployOptions
from orchctl.errors import FieldConflict, ForeignObject, NotFound
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.rounds import DEPLOYS
from tests.servers.kubernetes.api import path_of
from tests.servers.waiting import until
from tests.worlds.kubernetes import NAMESPACE, KubernetesWorld

pytestmark = pytest.mark.world_kubernetes

Json = dict[str, Any]
RECORDS = ("secrets", "leases")


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


@pytest.fixture
def driver(world: KubernetesWorld) -> Driver:
    return Driver(world)


def deployment(world: KubernetesWorld, name: str = "web") -> Json:
    found = world.api.find("deployments", NAMESPACE, name)
    assert found is not None
    return found


def names(world: KubernetesWorld, resource: str) -> set[str]:
    return {o["metadata"]["name"] for o in world.api.items(resource, NAMESPACE)}


def by_hand(world: KubernetesWorld, body: Json, *, manager: str = "somebody", sub: str = "", name: str = "web") -> None:
    path = path_of("deployments", NAMESPACE, name, sub)
    world.api.patch(path, body, kind="merge", fieldManager=manager)


def written(world: KubernetesWorld, action: Callable[[], object]) -> list[str]:
    """``resource/subresource`` of every write that the action made, in order."""
    before = len(world.written())
    action()
    return world.written()[before:]


class TestWrites:
    def test_one_changed_variable_is_one_write_beside_the_records(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        writes = written(world, lambda: driver.deploy(world.service(greeting="two")))
        assert [w for w in writes if w not in RECORDS] == ["deployments"]

    def test_an_unchanged_deploy_makes_no_replica_set(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(world.service())
        sets = names(world, "replicasets")
        generation = deployment(world)["metadata"]["generation"]
        assert written(world, lambda: driver.deploy(world.service())) == []
        assert (names(world, "replicasets"), deployment(world)["metadata"]["generation"]) == (sets, generation)

    def test_a_hundred_services_are_looked_at_in_as_many_requests_as_one(
        self, world: KubernetesWorld, driver: Driver
    ) -> None:
        driver.deploy(world.service())
        before = world.requests()
        driver.status_of_all()
        of_one = world.requests() - before
        driver.deploy_all([world.service(name=f"web{i}").sized(0) for i in range(6)])
        before = world.requests()
        assert len(driver.status_of_all()) == 7
        assert world.requests() - before == of_one


class TestRemovals:
    def test_a_removed_label_vanishes_without_a_restart(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(replace(world.service(), labels={"team": "checkout"}))
        assert deployment(world)["metadata"]["labels"]["team"] == "checkout"
        running = set(world.truth("web").running)
        driver.deploy(world.service())
        assert "team" not in deployment(world)["metadata"]["labels"]
        assert set(world.truth("web").running) == running

    def test_a_service_without_ports_loses_its_service_object(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(world.service())
        assert "web" in names(world, "services")
        bare = replace(world.service(), ports=(), health=replace(world.service().health, ready=None))
        driver.deploy(replace(bare, command=("/bin/sleep",), args=("3600",)))
        assert "web" not in names(world, "services")

    @pytest.mark.soak
    def test_a_file_lives_as_long_as_a_kept_revision_refers_to_it(self, world: KubernetesWorld, driver: Driver) -> None:
        def with_file(text: str) -> Service:
            return replace(world.service(), files={"/etc/motd": File(content=text.encode())})

        def ours() -> set[str]:
            return {n for n in names(world, "configmaps") if n.startswith("web-files-")}

        driver.deploy(with_file("one"))
        first = ours()
        for number in range(2):
            driver.deploy(with_file(f"two {number}"))
        assert first < ours()
        for number in range(10):  # ten revisions are kept
            driver.deploy(with_file("three").sized(1 + number % 2))
        assert not first & ours()

    @pytest.mark.soak
    def test_going_back_three_revisions_brings_files_and_variables_back(
        self, world: KubernetesWorld, driver: Driver
    ) -> None:
        def version(text: str) -> Service:
            return replace(world.service(greeting=text), files={"/etc/motd": File(content=text.encode())})

        for text in ("one", "two", "three", "four"):
            driver.deploy(version(text))
        driver.scale("web", "3")
        driver.scale("web", "1")
        assert driver.rollback("web", to=1).state is OutcomeState.CONVERGED
        template = deployment(world)["spec"]["template"]["spec"]
        assert {"name": "GREETING", "value": "one"} in template["containers"][0]["env"]
        [volume] = [v for v in template["volumes"] if "configMap" in v]
        files = world.api.find("configmaps", NAMESPACE, volume["configMap"]["name"])
        assert files is not None
        assert list(files["data"].values()) == ["one"]
        assert deployment(world)["spec"]["replicas"] == 1


class TestOtherManagers:
    def test_a_field_that_somebody_else_added_survives(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        by_hand(world, {"metadata": {"annotations": {"somebody.example/note": "keep me"}}})
        driver.deploy(world.service(greeting="two"))
        assert deployment(world)["metadata"]["annotations"]["somebody.example/note"] == "keep me"

    def test_a_field_of_ours_that_somebody_else_changed_is_a_conflict_with_a_name(
        self, world: KubernetesWorld, driver: Driver
    ) -> None:
        driver.deploy(world.service(greeting="one"))
        by_hand(world, {"spec": {"minReadySeconds": 7}}, manager="other-tool")
        before = deployment(world)["metadata"]["generation"]
        with pytest.raises(FieldConflict) as caught:
            driver.deploy(world.service(greeting="two"))
        assert caught.value.fields == (("other-tool", ".spec.minReadySeconds"),)
        assert deployment(world)["metadata"]["generation"] == before

    def test_forced_it_is_taken_over(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        by_hand(world, {"spec": {"minReadySeconds": 7}}, manager="other-tool")
        world.context = replace(world.context, allow=frozenset({Allow.FORCE_CONFLICTS}))
        assert driver.deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
        assert deployment(world)["spec"]["minReadySeconds"] == 1

    def test_a_foreign_service_object_of_the_name_is_refused_before_anything_is_written(
        self, world: KubernetesWorld, driver: Driver
    ) -> None:
        spec = {"ports": [{"port": 80}], "selector": {"app": "theirs"}}
        world.api.create("services", {"metadata": {"name": "web"}, "spec": spec}, NAMESPACE)
        with pytest.raises(ForeignObject):
            driver.deploy(world.service())
        assert "web" not in names(world, "deployments")
        kept = world.api.find("services", NAMESPACE, "web")
        assert kept is not None
        assert kept["spec"]["selector"] == {"app": "theirs"}


class TestAutoscaler:
    def scaled(self, world: KubernetesWorld, greeting: str) -> Service:
        return replace(
            world.service(greeting=greeting),
            replicas=None,
            scaling=Scaling(min=1, max=4, cpu_percent=70),
            resources=Resources(cpu_millis=10),
        )

    def test_the_count_of_an_autoscaler_survives_many_deploys(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(self.scaled(world, "v0"))
        assert "web" in names(world, "horizontalpodautoscalers")
        for number in range(1, DEPLOYS + 1):
            if number in (2, 4):  # as the autoscaler does it: through the scale subresource
                count = {2: 3, 4: 2}[number]
                by_hand(world, {"spec": {"replicas": count}}, manager="kube-controller-manager", sub="scale")
            before = deployment(world)["spec"]["replicas"]
            outcome = driver.deploy(self.scaled(world, f"v{number}"), DeployOptions(limits=driver.limits))
            assert outcome.state is OutcomeState.CONVERGED
            assert deployment(world)["spec"]["replicas"] == before

    def test_a_fixed_count_takes_over_from_an_autoscaler_that_goes(
        self, world: KubernetesWorld, driver: Driver
    ) -> None:
        driver.deploy(self.scaled(world, "v0"))
        by_hand(world, {"spec": {"replicas": 3}}, manager="kube-controller-manager", sub="scale")
        assert driver.deploy(world.service(greeting="v1").sized(1)).state is OutcomeState.CONVERGED
        assert "web" not in names(world, "horizontalpodautoscalers")
        assert deployment(world)["spec"]["replicas"] == 1


class TestRefusals:
    def test_a_quota_is_known_at_once_and_named(self, world: KubernetesWorld, driver: Driver) -> None:
        quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}}
        driver.deploy(world.service(greeting="one"))
        world.api.create("resourcequotas", quota, NAMESPACE)
        until("the quota counts", lambda: _counted(world))
        started = world.clock.now()
        known: list[float] = []
        driver.on_event = lambda e: known.append(world.clock.now()) if e.kind.value == "problem" else None
        outcome = driver.deploy(world.service(greeting="two"))
        world.api.delete(path_of("resourcequotas", NAMESPACE, "few"))
        assert outcome.failures[0].kind is FailureKind.REFUSED
        assert "exceeded quota: few" in outcome.failures[0].message
        assert known[0] - started <= 5.0

    def test_a_missing_image_is_known_in_time_and_named(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        old = set(world.truth("web").running)
        started = world.clock.now()
        known: list[float] = []
        driver.on_event = lambda e: known.append(world.clock.now()) if e.kind.value == "problem" else None
        outcome = driver.deploy(world.service(Behaviour.MISSING_IMAGE, greeting="bad"))
        assert known[0] - started <= 30.0
        assert outcome.failures[0].kind is FailureKind.IMAGE
        assert set(world.truth("web").running) == old

    def test_a_missing_namespace_is_named_and_made_only_when_allowed(
        self, world: KubernetesWorld, driver: Driver
    ) -> None:
        service = replace(world.service(), namespace="fresh")
        admin = replace(world.context, settings={"kubeconfig": str(world.admin)})
        world.context = replace(admin, namespace="fresh")
        with pytest.raises(NotFound, match="no namespace 'fresh'") as caught:
            driver.deploy(service)
        assert "--create-namespace" in caught.value.hint
        world.context = replace(world.context, allow=frozenset({Allow.CREATE_NAMESPACE}))
        try:
            assert driver.deploy(service).state is OutcomeState.CONVERGED
        finally:
            world.api.delete(path_of("namespaces", name="fresh"))

    def test_a_crash_in_an_injected_container_is_no_riddle(self, world: KubernetesWorld, driver: Driver) -> None:
        """A sidecar from ``patch`` that crashes keeps the pod from being ready: the verdict names it."""
        sidecar = {"name": "agent", "image": world.service().image, "command": ["/bin/sh", "-c", "exit 3"]}
        service = world.service()
        main = json.loads(json.dumps(_container(world, service)))
        patch = {"spec": {"template": {"spec": {"containers": [main, sidecar]}}}}
        outcome = driver.deploy(replace(service, backends={"kubernetes": {"patch": patch}}))
        assert outcome.state is OutcomeState.FAILED
        assert "agent" in outcome.failures[0].message


def _container(world: KubernetesWorld, service: Service) -> Json:
    rendered = world.backend.render(service)[-1].body
    found: Json = rendered["spec"]["template"]["spec"]["containers"][0]
    return found


def _counted(world: KubernetesWorld) -> bool:
    quota = world.api.find("resourcequotas", NAMESPACE, "few")
    return quota is not None and (quota.get("status") or {}).get("used", {}).get("pods") == "2"


class TestPorts:
    def test_a_node_port_answers_and_is_discovered(self, world: KubernetesWorld, driver: Driver) -> None:
        from orchctl.core.service import Expose

        service = world.service()
        port = replace(service.ports[0], expose=Expose.CLUSTER)
        driver.deploy(replace(service, ports=(port,)))
        nodes = [e for e in driver.discover("web") if not e.instance and e.port >= 30000]
        assert nodes
        assert world.fetch(nodes[0]).strip() == b"one"

    def test_two_ports_reach_the_two_listeners(self, world: KubernetesWorld, driver: Driver) -> None:
        service = world.service()
        more = replace(service, ports=(*service.ports, Port(name="extra", port=8081)))
        driver.deploy(replace(more, rollout=replace(more.rollout, max_surge=Amount(1))))
        assert {e.port_name for e in driver.discover("web") if e.instance} == {"http", "extra"}


class TestHeadless:
    def test_a_service_loses_its_address_and_gets_one_again(self, world: KubernetesWorld, driver: Driver) -> None:
        for headless in (False, True, False):
            service = replace(world.service(), backends={"kubernetes": {"headless": headless}})
            assert driver.deploy(service).exit_code == 0
            found = world.api.find("services", NAMESPACE, "web")
            assert found is not None
            assert (found["spec"]["clusterIP"] == "None") is headless
            # No pod is replaced, so nothing is waited for; the cluster fills the slices of a new Service after it.
            until("both pods are told of", lambda: len([e for e in driver.discover("web") if e.ready]) == 2)


class TestLogs:
    def test_the_run_before_a_restart_is_part_of_the_story(self, world: KubernetesWorld, driver: Driver) -> None:
        script = "echo begins; trap 'exit 0' TERM; mkdir -p /www; httpd -f -p $PORT_HTTP -h /www & wait"
        probe = world.service().health
        service = replace(world.service(), args=(script,), health=replace(probe, ready=None))
        driver.deploy(service.sized(1))
        [pod] = names(world, "pods")
        world.kill_instance("web")
        until("the next run", lambda: f"{pod}/1" in {i.id for i in driver.status("web").progress.instances})
        with world.backend.connect(world.context) as connection:
            lines = list(connection.reader.logs(NAMESPACE, "web"))
            [old] = connection.reader.logs(NAMESPACE, "web", instance=f"{pod}/0")
        assert [line.instance for line in lines] == [f"{pod}/0", f"{pod}/1"]
        assert (old.text, old.instance) == (lines[0].text, f"{pod}/0")
