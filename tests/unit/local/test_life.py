"""Which supervisord a sight belongs to: process ids come again, in a restarted container nearly always."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchctl.core.codec import canonical_json, to_plain
from orchctl_local.client import Client
from orchctl_local.daemon_lock import holder, life, new_life
from orchctl_local.layout import Layout
from orchctl_local.model import Replica, Status, Step


@contextmanager
def living(layout: Layout, written: str) -> Iterator[None]:
    """A supervisord that holds its lock."""
    layout.daemon_lock.write_text(written)
    with layout.daemon_lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def note(layout: Layout, seen_under: str) -> None:
    replica = Replica(number=1, slot=1, template_hash="t", generation="g", step=Step.WAITING, until_ms=10**12)
    path = layout.status_file("default", "web")
    path.parent.mkdir(parents=True)
    path.write_text(canonical_json(to_plain(Status(life=seen_under, settled=True, replicas=[replica]))))


def until_ms(layout: Layout) -> int:
    seen = Client(layout).status("default", "web")
    assert seen is not None
    return seen.replicas[0].until_ms


def test_one_life_is_itself_and_never_the_next_one_with_its_process_id(tmp_path: Path) -> None:
    layout, first, second = Layout(tmp_path), new_life(), new_life()
    assert first != second
    with living(layout, first):
        assert (life(layout), holder(layout)) == (first, os.getpid())
    assert (life(layout), holder(layout)) == ("", 0)


@pytest.mark.parametrize(("same", "kept"), [(True, 10**12), (False, 0)])
def test_a_time_to_wait_for_does_not_outlive_the_boot_it_was_measured_in(tmp_path: Path, same: bool, kept: int) -> None:
    layout, now = Layout(tmp_path), new_life()
    note(layout, now if same else new_life())
    with living(layout, now):
        assert until_ms(layout) == kept
