"""What only a real engine can show, and the conformance kit does not ask."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.backend import Connection
from orchctl.core.document import spec_hash, template_hash
from orchctl.core.plan import Plan
from orchctl.core.rollout import Handle, OutcomeState, Progress
from orchctl.core.secret import Secret
from orchctl.core.service import Amount, File, Health, Placement, Requirement, Rollout, SecretRef, Service
from orchctl.errors import StalePlan, Unreachable, UsageError
from orchctl.testing.driver import Driver
from tests.children import LONGEST_S
from tests.servers.registry import Registry
from tests.servers.waiting import until
from tests.unit.swarm.sample import FULL
from tests.worlds.swarm import NAMESPACE, SwarmWorld

pytestmark = pytest.mark.world_swarm

BUDGET = 7
"""The version, services, networks and records for the plan; services, tasks and nodes to say that all are ready."""
SERVICES = 50
PAUSE_WITHIN_MS = 10_000
"""Between one new instance and the next."""


class Free:
    """A fence without a lease."""

    def check(self) -> None:
        return


@pytest.fixture
def world(swarm_world: SwarmWorld) -> SwarmWorld:
    return swarm_world


@pytest.fixture
def connection(world: SwarmWorld) -> Iterator[Connection]:
    with world.backend.connect(world.context) as opened:
        yield opened


def put(connection: Connection, service: Service, **secrets: bytes) -> Handle:
    """Apply without a lease or a record, conditional on what stands there now."""
    live = connection.reader.live(service.namespace, [service.name]).get(service.name)
    plan = plan_for(service, live.expect if live else "")
    values = {f.secret: Secret(secrets[f.secret.name]) for f in service.files.values() if f.secret}
    return connection.writer(Free()).apply(plan, revision=1, secrets=values)


def plan_for(service: Service, expect: str) -> Plan:
    return Plan(
        service=service,
        backend="swarm",
        context="t",
        template_hash=template_hash(service, "swarm"),
        spec_hash=spec_hash(service),
        expect=expect,
    )


def settled(connection: Connection, handle: Handle) -> Progress:
    def look() -> Progress | None:
        seen = connection.reader.poll(handle)
        good = seen.settled and len(seen.instances) == seen.replicas and all(i.ready for i in seen.instances)
        return seen if good and all(i.current for i in seen.instances) else None

    found = until("the rollout", look)
    assert found
    return found


def test_fifty_unchanged_services_take_seven_requests_and_no_write(world: SwarmWorld, driver: Driver) -> None:
    services = [replace(world.service(name=f"s{n}"), replicas=0, ports=(), health=Health()) for n in range(SERVICES)]
    assert {o.state for o in driver.deploy_all(services)} == {OutcomeState.CONVERGED}
    requests, writes = world.requests(), world.writes()
    assert {o.state for o in driver.deploy_all(services)} == {OutcomeState.UNCHANGED}
    assert world.writes() == writes
    assert world.requests() - requests <= BUDGET


def test_everything_a_service_can_ask_for_is_accepted_and_reads_back_equal(
    world: SwarmWorld, connection: Connection
) -> None:
    service = replace(FULL, namespace=NAMESPACE)
    settled(connection, put(connection, service, KEY=b"hush"))
    live = connection.reader.live(NAMESPACE)["web"]
    assert live.document == world.backend.project(service)
    assert (live.owned, live.revision, live.replicas) == (True, 1, 2)
    assert live.template_hash == template_hash(service, "swarm")


def test_a_name_that_begins_like_another_is_not_taken_for_it(world: SwarmWorld, connection: Connection) -> None:
    put(connection, replace(world.service(name="web-admin"), replicas=0))
    assert connection.reader.live(NAMESPACE, ["web"]) == {}
    assert set(connection.reader.live(NAMESPACE)) == {"web-admin"}


def test_files_and_secrets_are_inside_the_container(world: SwarmWorld, connection: Connection) -> None:
    files = {
        "/etc/deep/app.toml": File(content=b"a = 1\n"),
        "/secret": File(secret=SecretRef("KEY", source="env", version="1"), mode="0400"),
    }
    script = ("cat /etc/deep/app.toml /secret; stat -c %a:%u /secret; exec sleep 3600",)
    service = replace(world.service(), files=files, args=script, health=Health(), replicas=1, user="1000:1000")
    settled(connection, put(connection, service, KEY=b"hush\n"))
    lines = until("output", lambda: [line.text for line in connection.reader.logs(NAMESPACE, "web")][:3])
    assert lines == ["a = 1", "hush", "400:1000"]


def test_docker_stack_ls_shows_the_namespace(world: SwarmWorld, connection: Connection) -> None:
    docker = shutil.which("docker")
    if not docker:
        pytest.skip("no docker command line here")
    put(connection, replace(world.service(), replicas=0))
    command = [
        docker,
        "-H",
        f"unix://{world.swarm.manager.socket}",
        "stack",
        "ls",
        "--format",
        "{{.Name}} {{.Services}}",
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=True).stdout
    assert shown.split() == [NAMESPACE, "1"]


def test_registry_credentials_go_with_every_write_of_the_service(
    world: SwarmWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = base64.b64encode(b"ci:hunter2").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"127.0.0.1:1": {"auth": secret}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with world.backend.connect(world.context) as connection:
        put(connection, replace(world.service(), replicas=0))
        writer = connection.writer(Free())
        writer.scale(NAMESPACE, "web", 0, expect=connection.reader.live(NAMESPACE)["web"].expect)
        writer.restart(NAMESPACE, "web", expect=connection.reader.live(NAMESPACE)["web"].expect)
    writes = [r for r in world.proxy.requests if r.method == "POST" and "/services/" in r.path]
    assert len({r.path.partition("?")[0] for r in writes}) == 2, "created and updated"
    assert len(writes) >= 3, "more where the engine had moved the version itself"
    for request in writes:
        sent = json.loads(base64.urlsafe_b64decode(request.headers["x-registry-auth"]))
        assert (sent["username"], sent["password"]) == ("ci", "hunter2")


def test_without_credentials_the_engine_is_told_to_keep_those_it_has(world: SwarmWorld, connection: Connection) -> None:
    put(connection, replace(world.service(), replicas=0))
    put(connection, replace(world.service(greeting="two"), replicas=0))
    update = next(r for r in world.proxy.requests if "/update" in r.path)
    assert "registryAuthFrom=spec" in update.path


def test_a_version_that_the_swarm_itself_moved_on_is_no_conflict(world: SwarmWorld, connection: Connection) -> None:
    handle = put(connection, world.service())
    settled(connection, handle)
    put(connection, world.service(greeting="two"))
    expect = connection.reader.live(NAMESPACE)["web"].expect
    until("an update under way", lambda: any(not i.current for i in connection.reader.poll(handle).instances))
    plan = plan_for(world.service(greeting="three"), expect)
    settled(connection, connection.writer(Free()).apply(plan, revision=3, secrets={}))
    assert {e["GREETING"] for e in world.truth("web").running.values()} == {"three"}


def test_a_definition_that_somebody_else_changed_is_a_conflict(world: SwarmWorld, connection: Connection) -> None:
    put(connection, replace(world.service(), replicas=0))
    expect = connection.reader.live(NAMESPACE)["web"].expect
    world.tamper("web")
    with pytest.raises(StalePlan):
        connection.writer(Free()).apply(plan_for(world.service(greeting="two"), expect), revision=2, secrets={})
    changes = connection.reader.live(NAMESPACE)["web"].document
    assert changes["env"]["GREETING"] == "tampered"


def test_a_placement_that_no_node_meets_is_refused_before_it_stops_what_runs(
    world: SwarmWorld, connection: Connection
) -> None:
    settled(connection, put(connection, world.service()))
    running, writes = set(world.truth("web").running), world.writes()
    nowhere = Placement(require=(Requirement(key="zone", values=("nowhere",)),))
    with pytest.raises(UsageError) as caught:
        put(connection, replace(world.service(greeting="two"), placement=nowhere))
    assert "node.labels.zone==nowhere" in caught.value.message
    assert world.writes() == writes
    assert set(world.truth("web").running) == running


def test_what_somebody_added_by_hand_is_drift_under_its_native_name(world: SwarmWorld, connection: Connection) -> None:
    put(connection, replace(world.service(), replicas=0))
    world.edit("web", lambda container: container.update(CapabilityAdd=["CAP_NET_ADMIN"]))
    live = connection.reader.live(NAMESPACE)["web"].document
    assert live["backends"]["swarm"]["native"] == {"TaskTemplate.ContainerSpec.CapabilityAdd": ["CAP_NET_ADMIN"]}


def test_a_reminder_restarts_nothing_however_much_the_definition_says(
    world: SwarmWorld, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor with other credentials: running tasks are not compared by them."""
    service = replace(FULL, namespace=NAMESPACE)
    handle = put(connection, service, KEY=b"hush")
    settled(connection, handle)
    before, running = connection.reader.live(NAMESPACE)["web"], set(world.truth("web").running)
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"127.0.0.1:1": {"auth": "Y2k6aHVudGVyMg=="}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    writes = world.writes()
    with world.backend.connect(world.context) as opened:
        writer = opened.writer(Free())
        writer.remind(handle, expect=before.expect)
        assert world.writes() == writes + 1
        assert opened.reader.live(NAMESPACE)["web"] == before
        # The engine takes one change after the other: what it made of the first shows when the second is done.
        settled(connection, writer.scale(NAMESPACE, "web", 3, expect=before.expect))
    assert running < set(world.truth("web").running)


def test_a_paused_rollout_stops_nothing_that_serves_and_the_next_deploy_goes_on(
    world: SwarmWorld, connection: Connection
) -> None:
    settled(connection, put(connection, replace(world.service(), replicas=3)))
    slow = Rollout(max_surge=Amount(1), max_unavailable=Amount(0), min_ready_ms=PAUSE_WITHIN_MS, deadline_ms=180_000)
    handle = put(connection, replace(world.service(greeting="two"), replicas=3, rollout=slow))
    until("the first new one", lambda: any(i.current and i.ready for i in connection.reader.poll(handle).instances))
    writer = connection.writer(Free())
    writer.pause(handle)
    writes = world.writes()
    writer.pause(handle)
    assert world.writes() == writes
    seen = connection.reader.poll(handle)
    assert seen.settled
    assert seen.verdict is not None
    serving = watched(world, seconds=1.2 * PAUSE_WITHIN_MS / 1000)
    assert min(len(running) for running in serving) >= 3
    assert any("one" in running for running in serving[-3:])
    settled(connection, put(connection, replace(world.service(greeting="three"), replicas=3)))
    assert set(serving_now(world)) == {"three"}


def test_a_restart_after_a_pause_replaces_every_instance(world: SwarmWorld, connection: Connection) -> None:
    settled(connection, put(connection, world.service()))
    slow = Rollout(min_ready_ms=1_000, deadline_ms=180_000)
    handle = put(connection, replace(world.service(greeting="two"), rollout=slow))
    until("an update under way", lambda: not connection.reader.poll(handle).settled)
    writer = connection.writer(Free())
    writer.pause(handle)
    settled(connection, writer.restart(NAMESPACE, "web", expect=connection.reader.live(NAMESPACE)["web"].expect))
    assert serving_now(world) == ["two", "two"]


def serving_now(world: SwarmWorld) -> list[str]:
    return [e["GREETING"] for e in world.truth("web").running.values()]


def watched(world: SwarmWorld, *, seconds: float) -> list[list[str]]:
    """Greetings of what runs, looked at again and again for so long as the next step of a rollout would take."""
    end, looks = time.monotonic() + seconds, []
    while time.monotonic() < end:
        looks.append(serving_now(world))
    return looks


def test_an_image_is_pinned_to_the_registrys_digest_and_runs_by_it(
    world: SwarmWorld, connection: Connection, tmp_path: Path
) -> None:
    assert world.swarm.network
    with Registry(tmp_path / "registry", f"{world.swarm.network.gateway}:5000") as registry:
        name = f"{registry.address}/web"
        world.api.post("/images/127.0.0.1:1/busybox:1/tag", repo=name, tag="1")
        pushed = world.swarm.push(f"{name}", "1")
        service = replace(world.service(), image=f"{name}:1", backends={})
        digest = connection.reader.pin(service)
        assert digest in pushed
        settled(connection, put(connection, replace(service, image_digest=digest)))
        assert connection.reader.live(NAMESPACE)["web"].image == f"{name}:1@{digest}"
        assert connection.reader.pin(replace(service, image=f"{name}:absent")) == ""
    with pytest.raises(Unreachable) as caught, world.backend.connect(world.context) as another:
        another.reader.pin(service)
    assert "resolve_image" in caught.value.hint


def test_images_are_asked_for_once_a_connection_and_not_at_all_when_pinned_or_told_never(
    world: SwarmWorld, connection: Connection
) -> None:
    requests = world.requests()
    assert connection.reader.pin(world.service()) == ""
    assert connection.reader.pin(replace(world.service(), image="web@sha256:abc", backends={})) == ""
    assert world.requests() == requests


def test_secrets_of_the_store_that_are_absent_are_named(world: SwarmWorld, connection: Connection) -> None:
    body = {"Name": "there", "Data": base64.b64encode(b"x").decode()}
    world.api.post("/secrets/create", body)
    files = {"/a": File(secret=SecretRef("there")), "/b": File(secret=SecretRef("there", "key"))}
    found = connection.reader.missing_secrets(replace(world.service(), files=files))
    assert list(found) == [SecretRef("there", "key")]


def test_removal_is_over_only_when_no_container_is_left(world: SwarmWorld, connection: Connection) -> None:
    settled(connection, put(connection, world.service()))
    writer = connection.writer(Free())
    handle = writer.delete(NAMESPACE, "web", expect=connection.reader.live(NAMESPACE)["web"].expect)
    assert connection.reader.poll(handle).instances
    until("the end", lambda: not connection.reader.poll(handle).instances)
    assert not [left for left in world.truth("web").leftovers if left.startswith("container")]
    writer.prune(NAMESPACE, "web", [])
    assert world.truth("web").leftovers == ()
