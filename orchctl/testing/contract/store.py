"""The Store: create-if-absent, compare-and-set, list by prefix."""

from __future__ import annotations

import pytest

from orchctl.core.store import Store
from orchctl.errors import AlreadyExists, NotFound, StalePlan


class StoreContract:
    def test_what_was_created_is_read_back(self, store: Store) -> None:
        created = store.create("shop/web/r/00000001", b"\x00\xffbody", {"status": "pending", "note": "a: b = ü"})
        assert store.get("shop/web/r/00000001") == created
        assert (created.body, created.meta) == (b"\x00\xffbody", {"status": "pending", "note": "a: b = ü"})

    def test_an_empty_body_and_empty_meta_are_kept(self, store: Store) -> None:
        store.create("shop/web/lease", b"", {})
        entry = store.get("shop/web/lease")
        assert entry is not None
        assert (entry.body, dict(entry.meta)) == (b"", {})

    def test_absent_is_none(self, store: Store) -> None:
        assert store.get("shop/web/r/00000001") is None

    def test_creating_twice_is_refused_and_changes_nothing(self, store: Store) -> None:
        store.create("shop/web/r/00000001", b"one", {"a": "1"})
        with pytest.raises(AlreadyExists):
            store.create("shop/web/r/00000001", b"two", {"a": "2"})
        entry = store.get("shop/web/r/00000001")
        assert entry is not None
        assert (entry.body, dict(entry.meta)) == (b"one", {"a": "1"})

    def test_update_replaces_the_meta_and_moves_the_version(self, store: Store) -> None:
        first = store.create("shop/web/r/00000001", b"body", {"a": "1", "gone": "x"})
        second = store.update("shop/web/r/00000001", {"a": "2"}, expect=first.version)
        assert (second.body, dict(second.meta)) == (b"body", {"a": "2"})
        assert second.version != first.version
        assert store.get("shop/web/r/00000001") == second

    def test_updating_a_version_that_moved_is_refused(self, store: Store) -> None:
        first = store.create("shop/web/r/00000001", b"body", {"a": "1"})
        store.update("shop/web/r/00000001", {"a": "2"}, expect=first.version)
        with pytest.raises(StalePlan):
            store.update("shop/web/r/00000001", {"a": "3"}, expect=first.version)
        entry = store.get("shop/web/r/00000001")
        assert entry is not None
        assert dict(entry.meta) == {"a": "2"}

    def test_updating_what_is_gone_is_not_found(self, store: Store) -> None:
        first = store.create("shop/web/r/00000001", b"body", {})
        store.delete("shop/web/r/00000001", expect=first.version)
        with pytest.raises(NotFound):
            store.update("shop/web/r/00000001", {"a": "1"}, expect=first.version)

    def test_deleting_a_version_that_moved_is_refused(self, store: Store) -> None:
        first = store.create("shop/web/r/00000001", b"body", {"a": "1"})
        store.update("shop/web/r/00000001", {"a": "2"}, expect=first.version)
        with pytest.raises(StalePlan):
            store.delete("shop/web/r/00000001", expect=first.version)
        assert store.get("shop/web/r/00000001") is not None

    def test_deleting_what_is_gone_is_fine(self, store: Store) -> None:
        store.delete("shop/web/r/00000001", expect="1")

    def test_list_is_by_prefix_and_ordered(self, store: Store) -> None:
        for key in ("shop/web/r/00000002", "shop/web/r/00000001", "shop/web2/r/00000001", "other/web/r/00000001"):
            store.create(key, key.encode(), {"k": key})
        assert [e.key for e in store.list("shop/web/")] == ["shop/web/r/00000001", "shop/web/r/00000002"]
        assert len(store.list("shop/")) == 3
        assert store.list("shop/web/r/")[0].body == b"shop/web/r/00000001"

    def test_the_longest_names_and_large_bodies_fit(self, store: Store) -> None:
        key = f"{'n' * 24}/{'s' * 30}/r/00000001"
        store.create(key, b"x" * store.max_body_bytes, {"note": "y" * 1000})
        entry = store.get(key)
        assert entry is not None
        assert len(entry.body) == store.max_body_bytes
        assert [e.key for e in store.list(f"{'n' * 24}/{'s' * 30}/")] == [key]
