"""What a process is given: secrets and ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import FailureKind, OutcomeState
from orchctl.core.service import (
    Amount,
    File,
    Port,
    Protocol,
    Rollout,
    SecretRef,
    Service,
)
from orchctl.errors import UnsupportedFeature
from orchctl.testing.driver import Driver
from orchctl_local.ports import free_port
from tests.unit.local.plain import apply, only, output, plain, progress
from tests.worlds.local import LocalWorld

pytestmark = pytest.mark.world_local


def test_secrets_reach_the_process_as_variables_and_as_files_for_its_owner_only(
    world: LocalWorld, driver: Driver, tmp_path: Path
) -> None:
    (tmp_path / "secrets" / "db").mkdir(parents=True)
    (tmp_path / "secrets" / "db" / "password").write_text("from the store")
    (tmp_path / "token").write_text("from a provider")
    script = 'echo "$PASSWORD"; cat "$ORCHCTL_FILES/etc/token"; ls -l "$ORCHCTL_FILES/etc"; exec sleep 300'
    service = plain(
        world,
        "/bin/sh",
        "-c",
        script,
        env={"PASSWORD": SecretRef("db", "password")},
        files={
            "/etc/token": File(secret=SecretRef(str(tmp_path / "token"), source="file")),
            "/etc/run.sh": File(content=b"exit", mode="0755"),
        },
    )
    assert driver.deploy(service).state is OutcomeState.CONVERGED
    world.wait(lambda: len(output(world)) >= 4)
    text = "\n".join(output(world))
    assert "from the store\nfrom a provider" in text
    assert "-r--------" in text
    assert "-rwxr-xr-x" in text
    instance = only(world).id
    assert (world.root / "instances/test/web" / instance / "launch.json").stat().st_mode & 0o077 == 0
    config = (world.root / "programs" / f"test.{instance}.conf").read_text()
    assert "from the store" not in config


def test_a_missing_secret_is_a_configuration_problem(world: LocalWorld) -> None:
    apply(world, plain(world, env={"PASSWORD": SecretRef("db", "absent")}))
    world.wait(lambda: bool(progress(world).instances) and only(world).problem is not None)
    problem = only(world).problem
    assert problem is not None
    assert (problem.kind, problem.message) == (FailureKind.CONFIG, "env.PASSWORD: there is no secret db/absent")


def test_a_missing_secret_of_the_store_is_reported_before_the_deploy(world: LocalWorld, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "there").write_text("x")
    (tmp_path / "outside").write_text("x")
    refs = [SecretRef("there"), SecretRef("absent"), SecretRef("..", "outside"), SecretRef("X", source="env")]
    service = plain(world, env={f"S{i}": ref for i, ref in enumerate(refs)})
    with world.backend.connect(world.context) as connection:
        assert connection.reader.missing_secrets(service) == refs[1:3]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_fixed_port_that_somebody_else_has_fails_the_rollout(
    world: LocalWorld, driver: Driver, taken_port: int
) -> None:
    service = replace(
        world.service().sized(1),
        ports=(Port(name="http", port=8080, published=taken_port),),
        rollout=Rollout(max_surge=Amount(0), max_unavailable=Amount(1), deadline_ms=180_000),
    )
    outcome = driver.deploy(service)
    assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
    assert {f.kind for f in outcome.failures} == {FailureKind.PORT_TAKEN}


def test_two_services_cannot_have_the_same_fixed_port(world: LocalWorld, driver: Driver) -> None:
    """Whichever came second would be taken for ready while the process of the first one answers."""
    number = free_port(Protocol.TCP, ())

    def fixed(name: str) -> Service:
        rollout = Rollout(max_surge=Amount(0), max_unavailable=Amount(1), min_ready_ms=200, deadline_ms=180_000)
        ports = (Port(name="http", port=8080, published=number),)
        return replace(world.service(name=name).sized(1), ports=ports, rollout=rollout)

    outcomes = driver.deploy_all([fixed("one"), fixed("two")])
    assert sorted(o.state for o in outcomes) == [OutcomeState.CONVERGED, OutcomeState.FAILED], outcomes
    loser, winner = sorted((o for o in outcomes), key=lambda o: o.state is OutcomeState.CONVERGED)
    assert f"port {number} of this machine belongs to {winner.service}" in loser.message
    assert not world.truth(loser.service).running
    with pytest.raises(UnsupportedFeature):
        driver.plan(fixed("three"))
    assert driver.deploy(fixed(winner.service)).state is OutcomeState.UNCHANGED


def test_a_process_whose_port_was_snatched_gets_another_one(world: LocalWorld) -> None:
    script = """if test -e ../../../../../tried; then exec sleep 300; fi
touch ../../../../../tried; echo "OSError: [Errno 98] Address already in use" >&2; exit 1"""
    apply(world, replace(plain(world, "/bin/sh", "-c", script), ports=(Port(name="http", port=8080),)))
    first: list[str] = []

    def has_failed() -> bool:
        found = [i.problem for i in progress(world).instances if i.problem]
        first.extend(p.kind.value for p in found)
        return bool(found)

    world.wait(has_failed)
    assert first[0] == "port_taken"
    world.wait(lambda: only(world).ready)


def test_ports_reach_the_command_and_differ_between_replicas(world: LocalWorld, driver: Driver) -> None:
    service = plain(world, "/bin/sh", "-c", "echo $0 $PORT $PORT_ADMIN_UI; exec sleep 300", "$(PORT_HTTP)")
    ports = (Port(name="http", port=80), Port(name="admin-ui", port=81))
    driver.deploy(replace(service, ports=ports, replicas=2))
    world.wait(lambda: len(output(world)) == 2)
    lines = [line.split() for line in output(world)]
    assert all(first == second for first, second, _ in lines)
    assert len({number for line in lines for number in line}) == 4
