"""Records: bounded, readable, without gaps."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.revision import Revision, RevisionStatus
from orchctl.core.service import File, Service
from orchctl.core.store import Store
from orchctl.engine.history import Records, single_line
from orchctl.errors import Conflict, UsageError
from tests.worlds.fake import FakeWorld

TOKEN = {"token": "t"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    world = FakeWorld(tmp_path)
    return world.backend.connect(world.context).store


def revision(number: int, **changes: object) -> Revision:
    base = Revision(
        number=number,
        service=Service(name="web", namespace="test", image="web:1"),
        template_hash="t",
        spec_hash="s",
        replicas=2,
        created_at="2030-01-01T00:00:00Z",
        created_by="ci@runner",
        rendered="[]",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_a_record_is_read_back_whole(store: Store) -> None:
    records = Records(store, "test", "web")
    records.create(revision(1, reason="ticket 7"), TOKEN)
    (found,) = records.newest_first()
    assert found.revision == revision(1, reason="ticket 7")
    assert found.status is RevisionStatus.PENDING


def test_the_same_number_twice_is_a_conflict(store: Store) -> None:
    records = Records(store, "test", "web")
    records.create(revision(1), TOKEN)
    with pytest.raises(Conflict):
        records.create(revision(1), TOKEN)


def test_of_two_deployed_revisions_the_older_is_superseded(store: Store) -> None:
    """What a deployer leaves that was killed between the two marks."""
    records = Records(store, "test", "web")
    for number in (1, 2):
        records.mark(records.create(revision(number), TOKEN), RevisionStatus.DEPLOYED)
    assert [r.status for r in records.newest_first()] == [RevisionStatus.DEPLOYED, RevisionStatus.SUPERSEDED]


def test_the_audit_copy_goes_first_when_a_record_is_too_large(store: Store) -> None:
    records = Records(store, "test", "web")
    records.create(revision(1, rendered=noise(600_000)), TOKEN)
    assert records.newest_first()[0].revision.rendered == ""


def test_a_spec_that_is_too_large_is_refused_before_it_is_sent(store: Store) -> None:
    large = replace(revision(1).service, files={"/x": File(content=noise(600_000).encode())})
    with pytest.raises(UsageError, match="200000"):
        Records(store, "test", "web").create(revision(1, service=large), TOKEN)
    assert store.list("test/") == []


@pytest.mark.parametrize("body", [b"", b"not gzip", b"\x1f\x8b\x08\x00"])
def test_an_unreadable_record_keeps_its_number_and_blocks_nothing(store: Store, body: bytes) -> None:
    store.create("test/web/r/00000003", body, {"status": "deployed"})
    (found,) = Records(store, "test", "web").newest_first()
    assert (found.revision.number, found.status) == (3, RevisionStatus.FAILED)
    assert "cannot be read" in found.note


def test_pruning_never_takes_the_deployed_one(store: Store) -> None:
    records = Records(store, "test", "web")
    records.mark(records.create(revision(1), TOKEN), RevisionStatus.DEPLOYED)
    for number in range(2, 15):
        records.mark(records.create(revision(number), TOKEN), RevisionStatus.FAILED)
    assert [r.revision.number for r in records.prune()] == [*range(14, 4, -1), 1]


def test_notes_are_single_lines() -> None:
    assert single_line("a\nb\r\n\tc") == "a b c"
    assert len(single_line("x" * 5000)) == 1000


def noise(size: int) -> str:
    """Text that gzip cannot shrink below the limit."""
    import random

    return random.Random(7).randbytes(size // 2).hex()


def test_what_would_not_be_read_back_is_not_written(store: Store) -> None:
    """The limit of what a record unpacks to holds for writing, too, however well it compresses."""
    records = Records(store, "test", "web")
    large = Service(name="web", namespace="test", files={f"/{n}": File(content=b"a" * 900_000) for n in range(2)})
    recorded = records.create(revision(1, service=large, rendered="a" * 3_000_000), TOKEN)
    assert recorded.revision.rendered == ""
    assert records.newest_first()[0].revision.service == large
    larger = replace(large, files={f"/{n}": File(content=b"a" * 900_000) for n in range(5)})
    with pytest.raises(UsageError, match="more than the 4194304"):
        records.create(revision(2, service=larger), TOKEN)
    assert [r.revision.number for r in records.newest_first()] == [1]
