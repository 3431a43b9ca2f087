"""A real Kubernetes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchctl.core.context import Allow
from orchctl.core.store import Store
from orchctl.testing import contract
from orchctl.testing.driver import Driver
from orchctl.testing.world import World
from tests.servers.waiting import until
from tests.worlds.kubernetes import KubernetesWorld

pytestmark = pytest.mark.world_kubernetes


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


class TestCapability(contract.CapabilityContract): ...


class TestDeploy(contract.DeployContract): ...


class TestFailure(contract.FailureContract): ...


class TestScale(contract.ScaleContract): ...


class TestHistory(contract.HistoryContract): ...


class TestDiscover(contract.DiscoverContract):
    def test_one_endpoint_for_each_instance_and_port(self, world: World, driver: Driver) -> None:
        """The cluster writes the addresses of its pods into slices of its own, on a busy machine after the last one is ready."""
        driver.deploy(world.service().sized(3))
        until("an address of each pod", lambda: len([e for e in driver.discover("web") if e.instance]) == 3)
        super().test_one_endpoint_for_each_instance_and_port(world, driver)


class TestDelete(contract.DeleteContract): ...


class TestStore(contract.StoreContract):
    @pytest.fixture
    def store(self, world: KubernetesWorld) -> Iterator[Store]:
        """Its keys are in several namespaces, which the store makes when it is allowed to."""
        settings = {"kubeconfig": str(world.admin)}
        allow = frozenset({Allow.CREATE_NAMESPACE})
        with world.backend.connect(replace(world.context, settings=settings, allow=allow)) as connection:
            yield connection.store
        for namespace in ("shop", "other", "n" * 24):
            world.forget_entries(namespace)


class TestRace(contract.RaceContract): ...


class TestSeveral(contract.SeveralContract): ...


class TestLoad(contract.LoadContract): ...
