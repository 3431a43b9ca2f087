"""The whole backend, end to end: real processes, a real supervisord, and what happens when they are killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.document import template_hash
from orchctl.core.plan import Plan
from orchctl.core.rollout import Event, FailureKind, Instance, InstanceState, OutcomeState, Progress
from orchctl.core.service import (
    Amount,
    File,
    Health,
    Port,
    Probe,
    ProbeKind,
    Restart,
    Rollout,
    SecretRef,
    Service,
    Stop,
    Strategy,
)
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.worlds.local import LocalWorld

pytestmark = pytest.mark.world_local

PYTHON = (sys.executable, "-I", "-S", "-c")


@pytest.fixture
def world(local_world: LocalWorld) -> LocalWorld:
    return local_world


@pytest.fixture
def driver(world: LocalWorld) -> Driver:
    return Driver(world)


def plain(world: LocalWorld, *command: str, **changes: object) -> Service:
    """One process without ports and checks."""
    service = world.service()
    quick = Rollout(min_ready_ms=0, max_surge=Amount(1), deadline_ms=20_000)
    return replace(
        service,
        command=command or (*PYTHON, "import signal; signal.pause()"),
        replicas=1,
        ports=(),
        health=Health(),
        rollout=quick,
        **changes,  # type: ignore[arg-type]
    )


def progress(world: LocalWorld, name: str = "web") -> Progress:
    with world.backend.connect(world.context) as connection:
        return connection.reader.progress("test", [name])[name]


def only(world: LocalWorld) -> Instance:
    (instance,) = progress(world).instances
    return instance


def apply(world: LocalWorld, service: Service) -> None:
    """Write the definition and do not wait."""

    class Free:
        def check(self) -> None:
            return

    plan = Plan(
        service=service,
        backend="local",
        context="here",
        template_hash=template_hash(service, "local"),
        spec_hash="",
    )
    with world.backend.connect(world.context) as connection:
        connection.writer(Free()).apply(plan, revision=1, secrets={})


def pids(world: LocalWorld) -> set[int]:
    return {pid for pid, _ in world.processes("web")}


def output(world: LocalWorld, instance: str = "") -> list[str]:
    with world.backend.connect(world.context) as connection:
        return [line.text for line in connection.reader.logs("test", "web", instance=instance)]


def test_nothing_is_left_after_the_last_delete(world: LocalWorld, driver: Driver) -> None:
    driver.deploy(world.service(name="web"))
    driver.deploy(world.service(name="api"))
    driver.delete("web")
    assert world.daemon()
    driver.delete("api")
    assert (world.daemon(), list(world.processes()), world.root.parent.exists()) == (0, [], False)


def test_a_killed_supervisord_takes_its_processes_along_and_the_next_command_brings_them_back(
    world: LocalWorld, driver: Driver
) -> None:
    driver.deploy(world.service())
    before = pids(world)
    os.kill(world.daemon(), signal.SIGKILL)
    world.wait(lambda: not world.daemon() and not list(world.processes()))
    assert not any(i.ready for i in progress(world).instances)
    world.wait(lambda: sum(i.ready for i in progress(world).instances) == 2)
    assert len(pids(world)) == 2
    assert not pids(world) & before
    assert {i.exits for i in progress(world).instances} == {0}


def test_a_rollout_goes_on_when_supervisord_is_killed_in_its_middle(world: LocalWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"))
    killed: list[int] = []

    def kill_once(event: Event) -> None:
        if event.progress and not killed and any(i.current and i.ready for i in event.progress.instances):
            killed.append(world.daemon())
            os.kill(killed[0], signal.SIGKILL)

    driver.on_event = kill_once
    assert driver.deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED
    assert killed
    assert [e["GREETING"] for e in world.truth("web").running.values()] == ["two", "two"]


def test_a_killed_keeper_is_replaced_and_no_process_notices(world: LocalWorld, driver: Driver) -> None:
    driver.deploy(world.service())
    before = pids(world)
    os.kill(keeper(world), signal.SIGKILL)
    assert driver.scale("web", "3").state is OutcomeState.CONVERGED
    assert before < pids(world)
    assert {i.exits for i in progress(world).instances} == {0}


def keeper(world: LocalWorld) -> int:
    daemon = world.daemon()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
            command = (entry.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == daemon and b"orchctl_local.keeper" in command:
            return int(entry.parent.name)
    return 0


DEPLOY = """
import sys
from pathlib import Path
from orchctl.testing.driver import Driver
from tests.worlds.local import LocalWorld
world = LocalWorld(Path(sys.argv[1]))
print(Driver(world).deploy(world.service()).state)
"""


def test_the_daemon_does_not_keep_the_callers_output_open(world: LocalWorld) -> None:
    """A CI step ends when nobody holds its output any more."""
    done = subprocess.run(
        [sys.executable, "-c", DEPLOY, str(world.context.state_dir)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CALLERS_TOKEN": "hidden"},
        check=False,
    )
    assert done.stdout == "converged\n", done.stderr
    assert all("CALLERS_TOKEN" not in environment for _, environment in world.processes())
    assert b"CALLERS_TOKEN" not in Path(f"/proc/{world.daemon()}/environ").read_bytes()


@pytest.mark.parametrize("directory", ["deep/" * 40 + "here", "od d;%(here)s #'\"$HOME"])
def test_any_directory_will_do(world: LocalWorld, tmp_path: Path, directory: str) -> None:
    world.root = tmp_path / directory
    world.context = replace(world.context, settings={"state_dir": directory}, base_dir=tmp_path)
    assert Driver(world).deploy(plain(world)).state is OutcomeState.CONVERGED
    assert Driver(world).delete("web").state is OutcomeState.DELETED
    assert not world.root.exists()


def test_a_users_own_files_in_the_state_directory_stay(world: LocalWorld, tmp_path: Path) -> None:
    world.root = tmp_path / "mine"
    world.root.mkdir(mode=0o700)
    (world.root / "notes.txt").write_text("keep me")
    world.context = replace(world.context, settings={"state_dir": str(world.root)})
    Driver(world).deploy(plain(world))
    Driver(world).delete("web")
    assert [p.name for p in world.root.iterdir()] == ["notes.txt"]


def test_a_process_that_ignores_its_stop_signal_is_killed_after_the_grace(world: LocalWorld, driver: Driver) -> None:
    script = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"
    driver.deploy(plain(world, *PYTHON, script, stop=Stop(grace_ms=300)))
    assert driver.delete("web").state is OutcomeState.DELETED
    assert list(world.processes()) == []


def test_children_of_a_process_go_with_it_also_those_with_a_session_of_their_own(
    world: LocalWorld, driver: Driver
) -> None:
    script = f"setsid sleep 300 & trap '' TERM; sleep 300 & exec {sys.executable} -S -c 'import signal; signal.pause()'"
    driver.deploy(plain(world, "/bin/sh", "-c", script, stop=Stop(grace_ms=200)))
    world.wait(lambda: len(pids(world)) == 3)
    os.kill(min(pids(world)), signal.SIGKILL)
    world.wait(lambda: only(world).exits == 1 and only(world).ready)
    world.wait(lambda: len(pids(world)) == 3)
    driver.delete("web")
    assert list(world.processes()) == []


def test_a_failing_liveness_check_restarts_the_process_and_counts_as_an_exit(
    world: LocalWorld, driver: Driver, tmp_path: Path
) -> None:
    probe = Probe(
        kind=ProbeKind.EXEC, command=("/bin/sh", "-c", f"test ! -e {tmp_path}/sick"), interval_ms=100, failures=2
    )
    driver.deploy(replace(plain(world), health=Health(live=probe)))
    (tmp_path / "sick").touch()
    world.wait(lambda: only(world).exits >= 1 and only(world).problem is not None)
    problem = only(world).problem
    assert problem is not None
    assert (problem.kind, problem.message) == (FailureKind.UNHEALTHY, "not alive: exec check: exit code 1")
    (tmp_path / "sick").unlink()
    world.wait(lambda: only(world).ready and only(world).problem is None)


def test_a_draining_process_has_left_the_endpoints_and_still_answers(world: LocalWorld, driver: Driver) -> None:
    draining = replace(world.service().sized(1), stop=Stop(grace_ms=1_000, drain_ms=1_500))
    driver.deploy(draining)
    (endpoint,) = driver.discover("web")
    thread = threading.Thread(target=lambda: driver.scale("web", "0"))
    thread.start()
    world.wait(lambda: [e.ready for e in driver.discover("web")] == [False])
    assert ask(endpoint.port) == "one"
    thread.join()
    assert driver.discover("web") == []


def ask(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return str(answer.read().decode())


def test_a_client_of_the_ready_endpoints_sees_no_failure_through_rolling_updates(
    world: LocalWorld, driver: Driver
) -> None:
    def service(greeting: str) -> Service:
        return replace(world.service(greeting=greeting), stop=Stop(grace_ms=1_000, drain_ms=300))

    driver.deploy(service("0"))
    answers, failures, done = set(), [], threading.Event()

    def client() -> None:
        looker = Driver(world)
        while not done.is_set():
            for endpoint in [e for e in looker.discover("web") if e.ready]:
                try:
                    answers.add(ask(endpoint.port))
                except OSError as error:
                    failures.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    for turn in range(1, 3):
        driver.deploy(service(str(turn)))
    done.set()
    thread.join()
    assert failures == []
    assert answers >= {"1", "2"}


def test_the_output_of_a_failed_process_is_kept_and_its_secrets_are_not(world: LocalWorld, driver: Driver) -> None:
    driver.deploy(world.service(Behaviour.CRASH).sized(1))
    failed = only(world)
    assert (failed.exits, failed.problem and failed.problem.exit_code) == (3, 7)
    assert output(world, failed.log_id) == ["boom: cannot start"]
    home = world.root / "instances" / "test" / "web" / failed.log_id
    assert not (home / "launch.json").exists()
    assert not (home / "run").exists()


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


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        (Restart.NEVER, 3, False),
        (Restart.ON_FAILURE, 0, False),
        (Restart.ON_FAILURE, 3, True),
        (Restart.ALWAYS, 0, True),
    ],
)
def test_the_restart_policy_decides_about_a_process_that_ended(
    world: LocalWorld, policy: Restart, code: int, again: bool
) -> None:
    apply(world, plain(world, "/bin/sh", "-c", f"exit {code}", restart=policy))
    if again:
        world.wait(lambda: bool(progress(world).instances) and only(world).exits >= 2)
    else:
        world.wait(lambda: bool(progress(world).instances) and only(world).exits == 1)
        status = world.root / "status/test/web.json"
        assert '"step":"ended"' in status.read_text()
        assert only(world).state is InstanceState.EXITED


def test_a_process_killed_by_a_signal_says_which(world: LocalWorld) -> None:
    apply(world, plain(world, "/bin/sh", "-c", "kill -SEGV $$"))
    world.wait(lambda: bool(progress(world).instances) and only(world).exits >= 1)
    problem = only(world).problem
    assert problem is not None
    assert (problem.kind, problem.message, problem.exit_code) == (FailureKind.CRASHED, "killed by signal 11", 139)


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
        rollout=Rollout(max_surge=Amount(0), max_unavailable=Amount(1), deadline_ms=20_000),
    )
    outcome = driver.deploy(service)
    assert (outcome.state, outcome.exit_code) == (OutcomeState.FAILED, 7)
    assert {f.kind for f in outcome.failures} == {FailureKind.PORT_TAKEN}


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


def test_recreate_never_runs_two_versions(world: LocalWorld, driver: Driver) -> None:
    def service(greeting: str) -> Service:
        made = world.service(greeting=greeting)
        return replace(made, rollout=replace(made.rollout, strategy=Strategy.RECREATE))

    driver.deploy(service("one"))
    seen: list[set[str]] = []
    driver.on_event = lambda _event: seen.append({e["GREETING"] for e in world.truth("web").running.values()})
    driver.deploy(service("two"))
    assert {"two"} in seen
    assert {"one", "two"} not in seen


def test_a_reader_writes_nothing(world: LocalWorld, driver: Driver) -> None:
    read: list[Callable[[], object]] = [
        lambda: driver.status("web"),
        lambda: driver.discover("web"),
        lambda: driver.history("web"),
        lambda: driver.plan(world.service()),
    ]
    driver.plan(world.service())
    assert not world.root.exists()
    driver.deploy(world.service())
    writes = world.writes()
    for look in read:
        look()
    assert world.writes() == writes
