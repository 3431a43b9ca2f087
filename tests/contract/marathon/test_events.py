"""The event stream saves looks and decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Service
from orchctl.errors import Unreachable
from orchctl.testing.driver import Driver
from orchctl_marathon.events import Ear
from tests.servers.marathon import Marathon
from tests.servers.waiting import until
from tests.worlds.marathon import MarathonWorld, images

pytestmark = pytest.mark.world_marathon
SOAK_MS = 5_000


@pytest.fixture
def server() -> Iterator[Marathon]:
    with Marathon(images=images(), features=("task_killing",)) as server:
        yield server


@pytest.fixture
def world(server: Marathon, tmp_path: Path) -> MarathonWorld:
    return MarathonWorld(server, server.url, server.mesos_url, tmp_path)


def soaked(world: MarathonWorld) -> Service:
    service = world.service()
    return replace(service, rollout=replace(service.rollout, min_ready_ms=SOAK_MS))


def looks(server: Marathon) -> int:
    return sum(r.method == "GET" and r.path.endswith("/v2/apps/test/web") for r in server.requests)


def test_while_nothing_happens_few_looks_are_made(world: MarathonWorld, server: Marathon) -> None:
    """Without a stream there would be more than 30 in the first three seconds alone."""
    assert Driver(world).deploy(soaked(world)).state is OutcomeState.CONVERGED
    assert looks(server) < 15


def test_without_a_stream_every_look_is_made_and_the_result_is_the_same(
    world: MarathonWorld, server: Marathon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ear, "_hear", lambda _ear: (_ for _ in ()).throw(Unreachable("refused")))
    assert Driver(world).deploy(soaked(world)).state is OutcomeState.CONVERGED
    assert looks(server) > 25


def test_no_thread_is_left_when_the_command_ends(world: MarathonWorld) -> None:
    Driver(world).deploy(world.service())
    until("the end of the thread", lambda: not [t for t in threading.enumerate() if t.name == "marathon-events"])
