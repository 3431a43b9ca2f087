"""A state directory may be somebody's: what is not ours there is neither read as ours, nor written, nor removed."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.context import Context
from orchctl.core.rollout import OutcomeState
from orchctl.errors import ConfigError, UsageError
from orchctl.testing.driver import Driver
from orchctl_local.client import Client
from orchctl_local.daemon import START_TIMEOUT_S
from orchctl_local.files import LOCK_TIMEOUT_S, state_lock
from orchctl_local.layout import FILES, MARK, TREES, layout_of
from tests.servers.waiting import until
from tests.unit.local.plain import plain
from tests.worlds.local import LocalWorld

GENERIC = {
    **{f"{tree}/mine/x.json": "theirs" for tree in TREES},
    **{name: "theirs" for name in FILES if name != MARK},
    "notes.txt": "theirs",
}
FORMER = ("desired", "generations", "secrets", "store", "sequence")


def fill(directory: Path, files: dict[str, str]) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (0, 0))


def tree(directory: Path, *, without: str = "") -> dict[str, tuple[str, float]]:
    return {
        str(path.relative_to(directory)): (path.read_text(), path.stat().st_mtime)
        for path in directory.rglob("*")
        if path.is_file() and not (without and path.is_relative_to(directory / without))
    }


def context(tmp_path: Path, name: str = "here", **settings: str) -> Context:
    return Context(name=name, backend="local", state_dir=tmp_path, settings=settings, base_dir=tmp_path)


@pytest.mark.world_local
def test_a_users_own_files_in_the_state_directory_stay(world: LocalWorld, tmp_path: Path) -> None:
    """``state_dir = "."`` in a project that has directories named like ours."""
    mine = tmp_path / "mine"
    fill(mine, GENERIC)
    before = tree(mine)
    world.root = mine / "orchctl-local" / "here"
    world.context = replace(world.context, settings={"state_dir": str(mine)})
    assert Driver(world).deploy(plain(world)).state is OutcomeState.CONVERGED
    assert tree(mine, without="orchctl-local") == before
    assert Driver(world).delete("web").state is OutcomeState.DELETED
    assert tree(mine) == before
    assert not (mine / "orchctl-local").exists()


def test_a_directory_that_is_somebodys_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """Also where orchctl's own place is taken: ORCHCTL_STATE_DIR may be a directory of the user's, too."""
    layout = layout_of(context(tmp_path))
    layout.root.parent.mkdir()
    fill(layout.root, GENERIC)
    before = tree(tmp_path)
    with pytest.raises(UsageError, match="did not put there"), state_lock(layout):
        raise AssertionError
    assert tree(tmp_path) == before


def test_the_mark_is_the_first_and_the_last_but_the_lock(tmp_path: Path) -> None:
    layout = layout_of(context(tmp_path))
    with state_lock(layout):
        assert layout.mark.is_file()
    Client(layout).close_if_empty()
    assert not layout.root.exists()
    assert FILES[-2:] == (MARK, "state.lock")


def test_a_lock_alone_is_what_a_first_command_leaves_when_it_is_killed(tmp_path: Path) -> None:
    layout = layout_of(context(tmp_path))
    layout.root.mkdir(parents=True, mode=0o700)
    layout.state_lock.touch()
    with state_lock(layout):
        assert layout.desired.is_dir()


def test_a_directory_that_goes_while_its_lock_is_awaited_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = layout_of(context(tmp_path))
    real, gone = os.open, []

    def taken_away(path: object, *rest: int) -> int:
        if path == layout.state_lock and not gone:
            gone.append(layout.root.rmdir())
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", taken_away)
    with state_lock(layout):
        assert layout.mark.is_file()
        assert (layout.root / "tmp").is_dir()


@pytest.mark.parametrize("name", ["..", ".", "a/../../b", "/elsewhere", "a\0b", "x" * 300, "\udce9", ""])
def test_a_contexts_name_is_one_part_of_a_path(tmp_path: Path, name: str) -> None:
    layout = layout_of(context(tmp_path, name))
    assert layout.root.parent == tmp_path / "local"
    assert layout.root.resolve() == layout.root
    given = layout_of(context(tmp_path, name, state_dir="given"))
    assert given.root.parent == tmp_path / "given" / "orchctl-local"
    for path in (layout.desired_file(name, name), layout.secret_file(name, name, name), layout.instances(name, name)):
        assert path.relative_to(layout.root).parts[0] in TREES
        assert ".." not in path.parts
        assert not path.is_dir()  # the system takes it


def former(world: LocalWorld, directory: Path) -> None:
    """Services in ``directory`` itself, as they were kept before there was a mark."""
    world.root = directory
    directory.mkdir(mode=0o700)
    (directory / MARK).touch()
    world.context = replace(world.context, settings={"state_dir": str(directory)})
    assert Driver(world).deploy(plain(world)).state is OutcomeState.CONVERGED
    (directory / MARK).unlink()


@pytest.mark.world_local
def test_services_of_the_former_place_are_still_found(world: LocalWorld, tmp_path: Path) -> None:
    former(world, tmp_path / "given")
    assert Driver(world).status("web").ready == 1
    assert Driver(world).delete("web").state is OutcomeState.DELETED
    assert not (tmp_path / "given").exists()


@pytest.mark.world_local
def test_services_of_the_former_place_among_other_things_are_moved_as_the_error_says(
    world: LocalWorld, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    former(world, given)
    (given / "notes.txt").write_text("theirs")
    with pytest.raises(ConfigError, match=r"among other things \(notes\.txt\)") as refused:
        Driver(world).status("web")
    assert str(given / "orchctl-local" / "here") in refused.value.message
    assert all(name in refused.value.hint for name in FORMER)
    os.kill(int((given / "daemon.lock").read_text().split()[0]), signal.SIGTERM)
    until("the services end", lambda: not list(world.processes()))
    world.root = given / "orchctl-local" / "here"
    world.root.mkdir(parents=True, mode=0o700)
    for name in FORMER:
        if (given / name).exists():
            (given / name).rename(world.root / name)
    assert Driver(world).deploy(plain(world)).state in (OutcomeState.UNCHANGED, OutcomeState.CONVERGED)
    assert Driver(world).delete("web").state is OutcomeState.DELETED
    assert (given / "notes.txt").read_text() == "theirs"


def test_a_lock_is_waited_for_longer_than_its_holder_may_take_to_start_supervisord() -> None:
    assert LOCK_TIMEOUT_S > START_TIMEOUT_S
