"""The life of a process: how it stops, fails, is checked and comes back."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import FailureKind, InstanceState, OutcomeState
from orchctl.core.service import (
    Health,
    Probe,
    ProbeKind,
    Restart,
    Stop,
)
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.children import LONGEST_S
from tests.unit.local.plain import PYTHON, apply, ask, only, output, pids, plain, progress
from tests.worlds.local import LocalWorld

pytestmark = pytest.mark.world_local


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
    """The drain is longer than the test waits for anything; killed, the process need not be waited for."""
    driver.deploy(replace(world.service().sized(1), stop=Stop(grace_ms=1_000, drain_ms=600_000)))
    (endpoint,) = driver.discover("web")
    (pid,) = pids(world)
    thread = threading.Thread(target=lambda: driver.scale("web", "0"))
    thread.start()
    world.wait(lambda: [e.ready for e in driver.discover("web")] == [False])
    assert ask(endpoint.port) == "one"
    os.kill(pid, signal.SIGKILL)
    thread.join(LONGEST_S)
    assert driver.discover("web") == []


def test_the_output_of_a_failed_process_is_kept_and_its_secrets_are_not(world: LocalWorld, driver: Driver) -> None:
    driver.deploy(world.service(Behaviour.CRASH).sized(1))
    failed = only(world)
    assert failed.exits >= 3  # it goes on trying while we look
    assert failed.problem
    assert failed.problem.exit_code == 7
    assert output(world, failed.log_id) == ["boom: cannot start"]
    home = world.root / "instances" / "test" / "web" / failed.log_id
    assert not (home / "launch.json").exists()
    assert not (home / "run").exists()


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
