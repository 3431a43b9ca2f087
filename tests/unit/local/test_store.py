"""Records and leases as files."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from orchctl.errors import AlreadyExists, NotFound, StalePlan, Unreachable, UsageError
from orchctl_local.files import state_lock
from orchctl_local.layout import Layout
from orchctl_local.store import FileStore


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(Layout(tmp_path / "root"))


def test_an_entry_comes_back_as_it_was_written(store: FileStore) -> None:
    made = store.create("shop/web/r1", b"\x00body", {"status": "pending"})
    assert store.get("shop/web/r1") == made
    assert (made.body, made.meta) == (b"\x00body", {"status": "pending"})


def test_creating_twice_is_refused(store: FileStore) -> None:
    store.create("shop/web/r1", b"", {})
    with pytest.raises(AlreadyExists):
        store.create("shop/web/r1", b"", {})


def test_an_update_needs_the_present_version(store: FileStore) -> None:
    first = store.create("shop/web/r1", b"body", {"status": "pending"})
    second = store.update("shop/web/r1", {"status": "deployed"}, expect=first.version)
    assert (second.body, second.meta["status"]) == (b"body", "deployed")
    with pytest.raises(StalePlan):
        store.update("shop/web/r1", {}, expect=first.version)
    with pytest.raises(NotFound):
        store.update("shop/web/r2", {}, expect=first.version)


def test_a_removed_entry_made_again_has_another_version(store: FileStore) -> None:
    first = store.create("shop/web/lease", b"", {})
    store.delete("shop/web/lease", expect=first.version)
    again = store.create("shop/web/lease", b"", {})
    assert again.version != first.version
    with pytest.raises(StalePlan):
        store.delete("shop/web/lease", expect=first.version)


def test_removing_what_is_absent_is_fine(store: FileStore) -> None:
    store.delete("shop/web/r1", expect="7")


def test_listing_is_by_prefix_and_in_order(store: FileStore) -> None:
    for key in ("shop/web/r2", "shop/web/r1", "shop/web2/r1", "shop/web"):
        store.create(key, b"", {})
    assert [e.key for e in store.list("shop/web/")] == ["shop/web/r1", "shop/web/r2"]
    assert len(store.list("shop/web")) == 4


@pytest.mark.parametrize("key", ["", "../x", "a/../b", "A", "a_b", "/a", "a//b", "x" * 300])
def test_a_key_that_is_none_is_refused(store: FileStore, key: str) -> None:
    with pytest.raises(UsageError):
        store.get(key)


def test_reading_makes_no_file(store: FileStore, tmp_path: Path) -> None:
    assert store.get("shop/web/r1") is None
    assert store.list("") == []
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_entry_is_never_seen(store: FileStore, tmp_path: Path) -> None:
    store.create("shop/web/r1", b"one", {})
    names = {p.name for p in (tmp_path / "root" / "store").iterdir()}
    assert names == {"shop_web_r1"}
    assert list((tmp_path / "root" / "tmp").iterdir()) == []


def test_files_are_for_their_owner_only(store: FileStore, tmp_path: Path) -> None:
    store.create("shop/web/r1", b"one", {})
    for directory, _, files in os.walk(tmp_path / "root"):
        assert Path(directory).stat().st_mode & 0o077 == 0
        assert all(Path(directory, name).stat().st_mode & 0o077 == 0 for name in files)


def test_a_directory_that_others_can_write_is_refused(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root").chmod(0o777)
    with pytest.raises(UsageError):
        store.create("shop/web/r1", b"", {})


@pytest.mark.parametrize("place", ["/proc/nowhere/root", "a file/root"])
def test_a_place_where_no_directory_can_be_made_is_refused_and_says_where_else(tmp_path: Path, place: str) -> None:
    """A home that cannot be written: nothing is sent, and nobody looks for a server that is down."""
    (tmp_path / "a file").write_text("")
    with pytest.raises(UsageError, match="the local backend keeps its state in") as caught:
        FileStore(Layout(tmp_path / place)).create("shop/web/r1", b"", {})
    assert "ORCHCTL_STATE_DIR" in caught.value.hint


def test_a_held_lock_is_waited_for_and_then_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    with state_lock(layout), pytest.raises(Unreachable, match=r"state\.lock"), state_lock(layout, timeout_s=0.1):
        pass


def count_up(root: Path, times: int) -> None:
    store = FileStore(Layout(root))
    done = 0
    while done < times:
        entry = store.get("shop/web/count")
        assert entry is not None
        try:
            store.update("shop/web/count", {"n": str(int(entry.meta["n"]) + 1)}, expect=entry.version)
            done += 1
        except StalePlan:
            continue


def test_no_update_is_lost_between_processes(store: FileStore, tmp_path: Path) -> None:
    store.create("shop/web/count", b"", {"n": "0"})
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=count_up, args=(tmp_path / "root", 20)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    entry = store.get("shop/web/count")
    assert entry is not None
    assert entry.meta["n"] == "60"
