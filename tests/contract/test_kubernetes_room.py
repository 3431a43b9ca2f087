"""What a leaving pod keeps until it is gone: a port of its node, a share of a quota; and a Service that lingers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.rollout import Event, OutcomeState
from orchctl.core.service import Amount, Expose, Service, Stop
from orchctl.engine import verdict
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.children import LONGEST_S
from tests.servers.kubernetes.api import path_of
from tests.servers.waiting import until
from tests.worlds.kubernetes import NAMESPACE, KubernetesWorld

pytestmark = pytest.mark.world_kubernetes

DRAIN_MS = 6_000


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no place is borne shorter than a pod drains."""
    monkeypatch.setattr(verdict, "TRANSIENT_S", DRAIN_MS / 3_000)
    monkeypatch.setattr(verdict, "UNSCHEDULABLE_S", DRAIN_MS / 3_000)


def stops_first(service: Service) -> Service:
    rollout = replace(service.rollout, max_surge=Amount(0), max_unavailable=Amount(1))
    return replace(service, rollout=rollout, stop=Stop(grace_ms=DRAIN_MS + 1_000, drain_ms=DRAIN_MS))


@pytest.mark.usefixtures("impatient")
def test_a_port_of_the_only_node_is_waited_for(world: KubernetesWorld, driver: Driver) -> None:
    world.own("a cluster of one node")

    def made(greeting: str) -> Service:
        service = stops_first(world.service(greeting=greeting).sized(1))
        return replace(service, ports=(replace(service.ports[0], expose=Expose.HOST, published=18080),))

    driver.deploy(made("one"))
    outcome = driver.deploy(made("two"))
    assert outcome.state is OutcomeState.CONVERGED, outcome
    assert outcome.duration_ms > DRAIN_MS, "it had to wait"
    assert greetings(world.truth("web")) == ["two"]


def test_a_quota_that_old_pods_fill_is_waited_for(world: KubernetesWorld, driver: Driver) -> None:
    driver.deploy(stops_first(world.service(greeting="one")))
    world.api.create("resourcequotas", {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}}, NAMESPACE)
    until("the quota counts", lambda: used(world) == "2")
    try:
        outcome = driver.deploy(stops_first(world.service(greeting="two")))
    finally:
        world.api.delete(path_of("resourcequotas", NAMESPACE, "few"))
    assert outcome.state is OutcomeState.CONVERGED, outcome
    assert greetings(world.truth("web")) == ["two", "two"]


def used(world: KubernetesWorld) -> Any:
    quota = world.api.find("resourcequotas", NAMESPACE, "few") or {}
    return (quota.get("status") or {}).get("used", {}).get("pods")


def test_a_service_that_lingers_is_waited_for_where_it_is_wanted_again(world: KubernetesWorld) -> None:
    """As the finalizer of a load balancer keeps it, for minutes."""
    path = path_of("services", NAMESPACE, "web-nodes")
    inside = world.service()
    outside = replace(inside, ports=(replace(inside.ports[0], expose=Expose.CLUSTER),))
    waited = threading.Event()

    def heard(event: Event) -> None:
        if "still being deleted" in event.text:
            waited.set()

    driver = Driver(world, on_event=heard)
    driver.deploy(outside)
    before = world.api.find("services", NAMESPACE, "web-nodes")
    world.api.patch(path, {"metadata": {"finalizers": ["example.com/lingers"]}}, kind="merge")
    try:
        assert driver.deploy(inside).state is OutcomeState.CONVERGED
        assert driver.deploy(inside).state is OutcomeState.UNCHANGED, "what goes is no difference"
        with ThreadPoolExecutor(1) as pool:
            again = pool.submit(driver.deploy, outside)
            assert waited.wait(LONGEST_S)
            world.api.patch(path, {"metadata": {"finalizers": None}}, kind="merge")
            assert again.result().state is OutcomeState.CONVERGED
    finally:
        left = world.api.find("services", NAMESPACE, "web-nodes")
        if left and left["metadata"].get("finalizers"):
            world.api.patch(path, {"metadata": {"finalizers": None}}, kind="merge")
    now = world.api.find("services", NAMESPACE, "web-nodes")
    assert before is not None
    assert now is not None
    assert now["metadata"]["uid"] != before["metadata"]["uid"]
