"""What ``orchctl doctor`` says about this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.core.check import Check, Health
from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl_local import checks

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:26 / /home rw - nfs4 server:/home rw
31 30 0:27 / /home/me/local\\040disk rw - xfs /dev/sdb rw
32 22 0:28 / /srv rw - ext4 /dev/sdc rw
33 22 0:29 / /srv rw - tmpfs tmpfs rw
"""


def look(state_dir: Path) -> dict[str, Check]:
    context = Context(name="local", backend="local", state_dir=state_dir)
    with load("local").connect(context) as connection:
        return {check.name: check for check in connection.checks("default")}


def test_a_machine_without_any_service_is_good_and_stays_untouched(tmp_path: Path) -> None:
    found = look(tmp_path / "state")
    assert list(found) == ["state directory", "disk", "supervisor"]
    assert found["state directory"].health is Health.GOOD
    assert found["supervisor"].finding == "does not run: it starts with the first deploy"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_others_can_write_is_refused_as_a_deploy_would(tmp_path: Path) -> None:
    root = tmp_path / "local" / "local"
    root.mkdir(parents=True)
    root.chmod(0o777)
    found = look(tmp_path)["state directory"]
    assert (found.health, found.exit_code) == (Health.BAD, 2)


def test_a_directory_that_cannot_be_written_is_a_missing_right() -> None:
    found = checks.directory(Path("/state"), is_writable=False, is_ours=True)
    assert (found.health, found.exit_code) == (Health.BAD, 10)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/home/me/state", "nfs4"),
        ("/home/me/local disk/state", "xfs"),
        ("/homes", "ext4"),
        ("/srv", "tmpfs"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert checks.file_system(Path(path), MOUNTS) == kind


def test_without_a_list_of_mounts_nothing_is_said_about_the_file_system() -> None:
    assert checks.file_system(Path("/var"), "") == ""
    assert checks.room(3 << 30, "").finding == "3.0 GiB free"


@pytest.mark.parametrize(
    ("free_bytes", "kind", "health"),
    [
        (1 << 40, "ext4", Health.GOOD),
        (1 << 20, "ext4", Health.WARNING),
        (0, "ext4", Health.BAD),
        (1 << 40, "nfs4", Health.WARNING),
    ],
)
def test_locks_and_records_want_a_local_disk_with_room(free_bytes: int, kind: str, health: Health) -> None:
    assert checks.room(free_bytes, kind).health is health


@pytest.mark.parametrize(
    ("process", "alive", "health"), [(0, True, Health.GOOD), (7, True, Health.GOOD), (7, False, Health.WARNING)]
)
def test_a_keeper_that_is_silent_is_told(process: int, alive: bool, health: Health) -> None:
    assert checks.supervisor(process, Path("/state"), keeper_alive=alive).health is health
