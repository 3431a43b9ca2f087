"""supervisord and the keeper: when they start, when they are killed, and that they go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import Event, OutcomeState
from orchctl.errors import NotFound
from orchctl.testing.driver import Driver
from tests.children import LONGEST_S
from tests.unit.local.plain import output, pids, plain, progress
from tests.worlds.local import LocalWorld

pytestmark = pytest.mark.world_local


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
    ready = {i.id for i in progress(world).instances if i.ready}  # looking starts them again
    assert ready <= set(world.truth("web").running)
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
        timeout=LONGEST_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CALLERS_TOKEN": "hidden"},
        check=False,
    )
    assert done.stdout == "converged\n", done.stderr
    assert all("CALLERS_TOKEN" not in environment for _, environment in world.processes())
    assert b"CALLERS_TOKEN" not in Path(f"/proc/{world.daemon()}/environ").read_bytes()


@pytest.mark.parametrize("directory", ["deep/" * 40 + "here", "od d;%(here)s #'\"$HOME"])
def test_any_directory_will_do(world: LocalWorld, tmp_path: Path, directory: str) -> None:
    world.root = tmp_path / directory / "orchctl-local" / "here"
    world.context = replace(world.context, settings={"state_dir": directory}, base_dir=tmp_path)
    assert Driver(world).deploy(plain(world)).state is OutcomeState.CONVERGED
    assert Driver(world).delete("web").state is OutcomeState.DELETED
    assert not world.root.exists()


def test_a_reader_writes_nothing(world: LocalWorld, driver: Driver) -> None:
    read: list[Callable[[], object]] = [
        lambda: driver.status("web"),
        lambda: driver.status_of_all(),
        lambda: driver.discover("web"),
        lambda: driver.history("web"),
        lambda: driver.why("web"),
        lambda: driver.plan(world.service()),
        lambda: output(world),
    ]
    for look in read:
        with suppress(NotFound):
            look()
        assert not world.root.parent.exists()
    driver.deploy(world.service())
    written = desired(world)
    for look in read:
        look()
    assert desired(world) == written


def desired(world: LocalWorld) -> dict[Path, tuple[int, int]]:
    """All that commands write, as it stands; the keeper's own files change all the time."""
    trees = ("desired", "generations", "secrets", "store", "tmp", "sequence")
    found = [p for tree in trees for p in (world.root / tree, *(world.root / tree).rglob("*")) if p.exists()]
    return {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}
