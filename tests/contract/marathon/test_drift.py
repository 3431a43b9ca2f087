"""What a Marathon itself puts into a definition, or gives back in another order, is no change of anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Health, Operator, Placement, Port, Probe, ProbeKind, Requirement, Service
from orchctl.testing.driver import Driver
from tests.servers.marathon import Marathon
from tests.worlds.marathon import MarathonWorld, images

pytestmark = pytest.mark.world_marathon

WEB = "/test/web"
OF_NOBODY = tuple(Requirement(key=key, op=Operator.NOT_EXISTS) for key in ("attic", "cellar", "shed", "barn", "attic"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MarathonWorld]:
    with Marathon(images=images()) as server:
        yield MarathonWorld(server, server.url, server.mesos_url, tmp_path)


def server_of(world: MarathonWorld) -> Marathon:
    assert world.server is not None
    return world.server


def writes(world: MarathonWorld, since: int) -> list[str]:
    """Of the app itself, by everybody, after so many requests."""
    sent = server_of(world).requests[since:]
    return [r.method for r in sent if r.method != "GET" and r.path.startswith(f"/v2/apps{WEB}")]


def stays_as_it_is(world: MarathonWorld, service: Service) -> None:
    """A second deploy writes nothing, and another count replaces no instance."""
    server = server_of(world)
    assert Driver(world).deploy(service).state is OutcomeState.CONVERGED
    before, old = len(server.requests), {task.id for task in server.tasks(WEB)}
    assert Driver(world).deploy(service).state is OutcomeState.UNCHANGED
    assert {r.method for r in server.requests[before:]} == {"GET"}
    assert Driver(world).deploy(service.sized(3)).state is OutcomeState.CONVERGED
    assert writes(world, before) == ["PATCH"]
    assert old < {task.id for task in server.tasks(WEB)}


@pytest.mark.parametrize("version", ["1.8.248", "1.9.109", "1.11.24"])
def test_a_default_role_is_no_change(tmp_path: Path, version: str) -> None:
    with Marathon(images=images(), version=version, role="slave_public") as server:
        world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
        stays_as_it_is(world, world.service())
        assert server.apps()[WEB].get("role") == (None if version.startswith("1.8") else "slave_public")


def test_codes_of_a_readiness_check_have_no_order(world: MarathonWorld) -> None:
    service = world.service()
    assert service.health.ready is not None
    ready = replace(service.health.ready, interval_ms=2_000)
    live = Probe(kind=ProbeKind.TCP, port="http", interval_ms=1_000, timeout_ms=1_000)
    stays_as_it_is(world, replace(service, health=replace(service.health, ready=ready, live=live)))
    codes = server_of(world).apps()[WEB]["readinessChecks"][0]["httpStatusCodesForReady"]
    assert (sorted(codes), codes != sorted(codes)) == (list(range(200, 400)), True)


def test_constraints_have_no_order_and_none_is_there_twice(world: MarathonWorld) -> None:
    service = replace(world.service(), placement=Placement(require=OF_NOBODY, max_per_node=9))
    stays_as_it_is(world, service)
    assert len(server_of(world).apps()[WEB]["constraints"]) == 5


def checked_by(service: Service, script: str) -> Service:
    probe = Probe(kind=ProbeKind.EXEC, command=("sh", "-c", script), interval_ms=1_000, timeout_ms=10_000)
    return replace(service, health=Health(ready=probe, start_deadline_ms=60_000))


@pytest.mark.parametrize("kind", ["process", "image"])
def test_a_probe_may_have_quotes(world: MarathonWorld, kind: str) -> None:
    service = world.service() if kind == "process" else world.with_image(world.service())
    probed = checked_by(service, 'test "$GREETING" = one')
    assert Driver(world).deploy(probed).state is OutcomeState.CONVERGED
    failing = checked_by(service, 'test "$GREETING" = two')
    hasty = replace(failing, health=replace(failing.health, start_deadline_ms=2_000))
    assert Driver(world).deploy(hasty).state is OutcomeState.ROLLED_BACK


def test_a_port_with_a_hyphen_reaches_the_process_and_its_probe(world: MarathonWorld) -> None:
    """Marathon calls it PORT_HTTP-API, which no shell can read."""
    service = world.service()
    assert service.health.ready is not None
    ports = (Port(name="admin", port=8081), Port(name="http-api", port=8080))
    named = replace(
        service,
        ports=ports,
        command=("sh", "-c", 'export LISTEN_PORT0="$PORT_HTTP_API"; exec "$@"', "sh", *service.command),
        health=replace(service.health, ready=replace(service.health.ready, port="http-api")),
    )
    assert Driver(world).deploy(named).state is OutcomeState.CONVERGED
    script = 'test -n "$PORT_HTTP_API" && test "$PORT_HTTP_API" = "$0"'
    probe = Probe(kind=ProbeKind.EXEC, command=("sh", "-c", script, "$(PORT_HTTP_API)"), timeout_ms=10_000)
    probed = replace(named, health=Health(ready=replace(probe, interval_ms=1_000), start_deadline_ms=60_000))
    assert Driver(world).deploy(probed).state is OutcomeState.CONVERGED
