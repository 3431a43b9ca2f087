"""Everything that can be rendered, on a real API server: known field by field, and no drift from what it fills in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Amount, Expose, File, Rollout, Service, Volume, VolumeKind
from orchctl.testing.driver import Driver
from tests.servers.kubernetes.api import path_of
from tests.servers.waiting import until
from tests.unit.kubernetes.sample import FULL
from tests.worlds.kubernetes import MANAGER, NAMESPACE, KubernetesWorld

pytestmark = pytest.mark.world_kubernetes

Json = dict[str, Any]


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


def names(world: KubernetesWorld, resource: str) -> set[str]:
    return {o["metadata"]["name"] for o in world.api.items(resource, NAMESPACE)}


def test_a_service_that_uses_everything_stands_as_it_was_asked_for(world: KubernetesWorld) -> None:
    """Strict validation: a field that the API server does not know would be an error. Its pods need not run."""
    service = replace(FULL, namespace=NAMESPACE)
    for native in world.backend.render(service):
        world.api.apply(dict(native.body), manager=MANAGER, fieldValidation="Strict")
    with world.backend.connect(world.context) as connection:
        live = connection.reader.live(NAMESPACE, ["web"])["web"]
    assert live.document == world.backend.project(service)


def test_a_removed_file_leaves_neither_a_mount_nor_a_volume(world: KubernetesWorld, driver: Driver) -> None:
    driver.deploy(replace(world.service(), files={"/etc/motd": File(content=b"hello")}))
    assert {"volumes", "volumeMounts"} <= _of_the_pod(world)
    driver.deploy(world.service())
    assert not {"volumes", "volumeMounts"} & _of_the_pod(world)


def _of_the_pod(world: KubernetesWorld) -> set[str]:
    """Fields of the pod and of its container."""
    live = world.api.get(path_of("deployments", NAMESPACE, "web"))
    pod = live["spec"]["template"]["spec"]
    return {*pod, *pod["containers"][0]}


def test_a_disruption_budget_comes_and_goes(world: KubernetesWorld, driver: Driver) -> None:
    kept = {"kubernetes": {"disruption_budget": {"max_unavailable": 1}}}
    driver.deploy(replace(world.service(), backends=kept))
    assert names(world, "poddisruptionbudgets") == {"web"}
    driver.deploy(world.service())
    assert names(world, "poddisruptionbudgets") == set()


def test_the_address_of_a_load_balancer_is_discovered(world: KubernetesWorld, driver: Driver) -> None:
    """No load balancer runs here: its controller's part is played by the administrator."""
    service = world.service()
    driver.deploy(replace(service, ports=(replace(service.ports[0], expose=Expose.EXTERNAL, published=8000),)))
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}
    world.api.patch(path_of("services", NAMESPACE, "web-external", "status"), status, kind="merge")
    shared = [e for e in driver.discover("web") if not e.instance]
    assert ("192.0.2.7", 8000, True) in [(e.host, e.port, e.ready) for e in shared]


class TestVolumes:
    @pytest.fixture
    def claimed(self, world: KubernetesWorld) -> Service:
        """Writes a line into its volume at every start."""
        script = "echo $GREETING >> /data/starts; cat /data/starts; exec sleep 3600"
        volume = Volume(kind=VolumeKind.NAMED, name="data", size_bytes=1 << 20)
        return replace(
            world.service().sized(1),
            args=(script,),
            ports=(),
            health=replace(world.service().health, ready=None),
            volumes={"/data": volume},
            rollout=Rollout(max_surge=Amount(0), max_unavailable=Amount(1), min_ready_ms=100, deadline_ms=180_000),
            backends={"kubernetes": {"storage_class": "by-hand"}},
        )

    @pytest.fixture(autouse=True)
    def disk(self, world: KubernetesWorld) -> Any:
        """A directory of the node, offered as a volume."""
        root = world.own("a volume of the node").root
        spec = {
            "capacity": {"storage": "1Mi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "by-hand",
            "hostPath": {"path": str(root / "disk"), "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": "Retain",
        }
        world.api.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": spec})
        yield
        world.api.delete(path_of("persistentvolumes", name="disk"))

    def test_data_outlives_updates_and_the_claim_outlives_the_service(
        self, world: KubernetesWorld, driver: Driver, claimed: Service
    ) -> None:
        for greeting in ("one", "two"):
            outcome = driver.deploy(replace(claimed, env={"GREETING": greeting}))
            assert outcome.state is OutcomeState.CONVERGED
        with world.backend.connect(world.context) as connection:
            until("both lines", lambda: _lines(connection, "web") == ["one", "two"])
        assert driver.deploy(replace(claimed, env={"GREETING": "two"})).state is OutcomeState.UNCHANGED
        driver.delete("web")
        assert names(world, "persistentvolumeclaims") == {"data"}


def _lines(connection: Any, name: str) -> list[str]:
    return [line.text for line in connection.reader.logs(NAMESPACE, name)]
