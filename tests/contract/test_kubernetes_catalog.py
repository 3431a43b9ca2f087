"""A service moves from plain processes to Kubernetes while clients that know its name alone go on asking: there it is one
address, a port of the node, whatever becomes of its pods."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.service import Address, Expose, Service
from orchctl.testing.driver import Driver
from tests.contract.catalog_client import Client
from tests.contract.test_consul_move import drained
from tests.servers.consul.agent import Consul
from tests.worlds.catalog import Entries, registering
from tests.worlds.kubernetes import KubernetesWorld
from tests.worlds.local import LocalWorld

pytestmark = pytest.mark.world_kubernetes


def exposed(service: Service, name: str) -> Service:
    """On a port of every node."""
    return replace(drained(service, name), ports=(replace(service.ports[0], expose=Expose.CLUSTER),))


def test_a_service_moves_to_kubernetes_and_no_client_notices(
    local_world: LocalWorld, kubernetes_world: KubernetesWorld, consul: Consul
) -> None:
    entries, name = Entries(consul.api), "moving-to-kubernetes"
    local_world.context = registering(local_world.context, consul.url)
    there = registering(kubernetes_world.context, consul.url)
    kubernetes_world.context = replace(there, register_address=Address.SERVICE)
    Driver(local_world).deploy(drained(local_world.service(), name))
    before = {*entries.passing(name)}
    with Client(name, consul.ports["dns"]) as client:
        client.wait_for(50)
        assert Driver(kubernetes_world).deploy(exposed(kubernetes_world.service(), name)).exit_code == 0
        client.wait_for(50)
        assert Driver(local_world).delete("web").exit_code == 0
        client.wait_for(50)
        (address,) = entries.passing(name)
        assert Driver(kubernetes_world).deploy(exposed(kubernetes_world.service(greeting="newer"), name)).exit_code == 0
        client.wait_for(50)
    assert client.failures == []
    shared = [f"{e.host}:{e.port}" for e in Driver(kubernetes_world).discover("web") if not e.instance]
    assert entries.passing(name) == shared == [address], "it is the same address for new pods"
    assert address not in before
    assert client.answered[address] > 50
    (entry,) = entries.of(name)
    assert entry["Service"]["Meta"]["orchctl_revision"] == "2"
    assert Driver(kubernetes_world).delete("web").exit_code == 0
    assert entries.of(name) == []
