"""What only newer Marathons can: sent to those, and refused for older ones before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Resources, Service
from orchctl.errors import UnsupportedFeature
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.servers.marathon import Marathon
from tests.worlds.marathon import MarathonWorld, images

pytestmark = pytest.mark.world_marathon

WEB = "/test/web"
LIMITS = {"cpus": 0.5, "mem": 64}


def limited(service: Service) -> Service:
    limits = Resources(cpu_millis=10, memory_bytes=16 << 20, cpu_limit_millis=500, memory_limit_bytes=64 << 20)
    return replace(service, resources=limits)


def in_role(service: Service) -> Service:
    return replace(service, backends={"marathon": {"role": "web"}})


@pytest.mark.parametrize(
    ("version", "change", "path", "needed"),
    [
        ("1.8.248", limited, "resources.limits.cpu", "1.10"),
        ("1.9.109", limited, "resources.limits.memory", "1.10"),
        ("1.8.248", in_role, "backends.marathon.role", "1.9"),
    ],
)
def test_an_older_one_is_sent_nothing(tmp_path: Path, version: str, change: object, path: str, needed: str) -> None:
    assert callable(change)
    with Marathon(images=images(), version=version) as server:
        world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
        with pytest.raises(UnsupportedFeature) as caught:
            Driver(world).deploy(change(world.service()))
        assert any(
            place == path and f"needs Marathon {needed}; this is {version[:3]}" in why
            for place, why in caught.value.refusals
        )
        assert {r.method for r in server.requests} == {"GET"}


@pytest.mark.parametrize("version", ["1.10.17", "1.11.24"])
def test_a_newer_one_has_the_limits(tmp_path: Path, version: str) -> None:
    with Marathon(images=images(), version=version) as server:
        world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
        driver = Driver(world)
        assert driver.deploy(limited(world.service())).state is OutcomeState.CONVERGED
        assert server.apps()[WEB]["resourceLimits"] == LIMITS
        before = len(server.requests)
        assert driver.deploy(limited(world.service())).state is OutcomeState.UNCHANGED
        assert {r.method for r in server.requests[before:]} == {"GET"}
        failed = driver.deploy(limited(world.service(Behaviour.CRASH, greeting="bad")))
        assert failed.state is OutcomeState.ROLLED_BACK
        assert server.apps()[WEB]["resourceLimits"] == LIMITS
        assert driver.deploy(world.service()).state is OutcomeState.CONVERGED
        assert "resourceLimits" not in server.apps()[WEB]


@pytest.mark.parametrize("version", ["1.9.109", "1.11.24"])
def test_a_role_is_sent_where_there_are_roles(tmp_path: Path, version: str) -> None:
    with Marathon(images=images(), version=version, role="web") as server:
        world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
        assert Driver(world).deploy(in_role(world.service())).state is OutcomeState.CONVERGED
        assert server.apps()[WEB]["role"] == "web"
        assert Driver(world).deploy(in_role(world.service())).state is OutcomeState.UNCHANGED
