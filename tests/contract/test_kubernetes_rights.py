"""Every right that ``orchctl render rbac`` asks for is used. That none is missing all tests show: they have no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import File, Resources, Scaling, SecretRef, Service, Volume, VolumeKind
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.worlds.kubernetes import NAMESPACE, KubernetesWorld

pytestmark = pytest.mark.world_kubernetes


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


def rich(service: Service) -> Service:
    """With an object of every kind around it but a claim."""
    return replace(
        service,
        replicas=None,
        scaling=Scaling(min=1, max=2, cpu_percent=70),
        resources=Resources(cpu_millis=10),
        env={**service.env, "KEY": SecretRef(name="KEY", source="env")},
        files={"/etc/motd": File(content=b"hello")},
        backends={"kubernetes": {"disruption_budget": {"max_unavailable": 1}}},
    )


def claiming(service: Service) -> Service:
    """No pod of it runs: nobody here offers the volume."""
    volumes = {"/data": Volume(kind=VolumeKind.NAMED, name="data", size_bytes=1 << 20)}
    return replace(service.sized(0), volumes=volumes)


def late(service: Service) -> Service:
    """Not ready for so long that its events are asked for."""
    return replace(service, replicas=1, health=replace(service.health, start_deadline_ms=8_000))


def test_no_right_is_asked_for_that_nothing_uses(
    world: KubernetesWorld, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchctl_kubernetes.access import RIGHTS
    from orchctl_kubernetes.resources import BY_KIND

    monkeypatch.setenv("KEY", "value")
    before = len(world.log.requests())
    driver.deploy(rich(world.service(greeting="one")))
    driver.deploy(world.service(greeting="two").sized(1))
    driver.scale("web", "2")
    driver.restart("web")
    driver.discover("web")
    one = driver.status("web").progress.instances[0].id
    with world.backend.connect(world.context) as connection:
        assert list(connection.reader.logs(NAMESPACE, "web", instance=one)) == []
    driver.deploy(claiming(world.service(name="data")))
    driver.deploy(claiming(world.service(name="data", greeting="two")))
    assert driver.deploy(late(world.service(Behaviour.NEVER_READY, name="late"))).state is OutcomeState.FAILED
    driver.status_of_all()
    for name in ("web", "data", "late"):
        driver.delete(name)
    used = {(r.verb, r.resource) for r in world.log.requests()[before:]}
    # An apply that makes an object is noted as a patch, and needs both rights.
    used |= {("create", r.plural) for r in BY_KIND.values() if ("patch", r.plural) in used}
    assert {(verb, r.words) for r in RIGHTS for verb in r.verbs} - used == set()
