"""Records and leases as apps: what is sent, what is taken for one, and what is left. StoreContract has the rest."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from orchctl.errors import AlreadyExists, NotFound, StalePlan, Unreachable, UsageError
from orchctl_marathon import store as module
from orchctl_marathon.client import LARGEST_APP, Reading, Writing
from orchctl_marathon.store import LedgerStore
from orchctl_marathon.target import Target
from tests.servers.marathon import Marathon
from tests.servers.marathon.client import Client
from tests.servers.marathon.front import Front
from tests.servers.marathon.messages import Request, Response, answer

KEY = "shop/web/r1"
PATH = f"/orchctl/{KEY}"


@pytest.fixture(scope="module")
def marathon() -> Iterator[Marathon]:
    with Marathon(processes=False) as server:
        yield server


@pytest.fixture
def server(marathon: Marathon) -> Iterator[Marathon]:
    yield marathon
    client = Client(marathon.url)
    for group in ("orchctl", "shop"):
        client.delete(f"/v2/groups/{group}?force=true")
    marathon.wait_deployed()


def store_at(url: str) -> LedgerStore:
    return LedgerStore(Reading(Target(urls=(url,), source="test")))


@pytest.fixture
def store(server: Marathon) -> LedgerStore:
    return store_at(server.url)


def groups(server: Marathon) -> list[str]:
    with server.engine.lock:
        return sorted(path for path in server.engine.store.root.groups if path != "/")


def test_an_entry_is_an_app_that_starts_nothing(server: Marathon, store: LedgerStore) -> None:
    made = store.create(KEY, b"\x00body", {"status": "pending"})
    app = server.apps()[PATH]
    assert (app["instances"], app["mem"], app["portDefinitions"]) == (0, 0, [])
    assert app["labels"] == {
        "orchctl.dev/key": KEY,
        "orchctl.dev/body": base64.b64encode(b"\x00body").decode(),
        "orchctl.dev/meta.status": "pending",
        "app.kubernetes.io/managed-by": "orchctl",
    }
    assert server.tasks(PATH) == []
    assert store.get(KEY) == made
    assert made.version == app["version"]


def test_a_change_keeps_the_body_and_replaces_the_whole_meta(server: Marathon, store: LedgerStore) -> None:
    made = store.create(KEY, b"body", {"status": "pending", "note": "x"})
    changed = store.update(KEY, {"status": "deployed"}, expect=made.version)
    assert store.get(KEY) == changed
    assert (changed.body, dict(changed.meta)) == (b"body", {"status": "deployed"})
    assert changed.version != made.version


def test_a_change_of_nothing_sends_nothing(server: Marathon, store: LedgerStore) -> None:
    """Marathon would answer with a version that it does not keep, and the next change would find another one."""
    made = store.create(KEY, b"body", {"status": "pending"})
    before = server.writes()
    assert store.update(KEY, {"status": "pending"}, expect=made.version) == made
    assert server.writes() == before


def test_a_stale_change_is_refused_before_anything_is_sent(server: Marathon, store: LedgerStore) -> None:
    made = store.create(KEY, b"body", {})
    store.update(KEY, {"a": "1"}, expect=made.version)
    before = server.writes()
    for action in (
        lambda: store.update(KEY, {"b": "2"}, expect=made.version),
        lambda: store.delete(KEY, expect=made.version),
    ):
        with pytest.raises(StalePlan):
            action()
    assert server.writes() == before


def test_what_is_gone_cannot_be_changed_and_is_deleted_already(store: LedgerStore) -> None:
    with pytest.raises(NotFound):
        store.update(KEY, {}, expect="v")
    store.delete(KEY, expect="v")


def test_only_one_of_two_creates(store: LedgerStore) -> None:
    store.create(KEY, b"", {})
    with pytest.raises(AlreadyExists):
        store.create(KEY, b"other", {})


class TestGroups:
    def test_the_last_entry_takes_its_groups_along(self, server: Marathon, store: LedgerStore) -> None:
        entries = [store.create(key, b"", {}) for key in (KEY, "shop/web/lease", "shop/api/r1")]
        server.wait_deployed()
        assert groups(server) == ["/orchctl", "/orchctl/shop", "/orchctl/shop/api", "/orchctl/shop/web"]
        for entry, left in zip(
            entries,
            (
                ["/orchctl", "/orchctl/shop", "/orchctl/shop/api", "/orchctl/shop/web"],
                ["/orchctl", "/orchctl/shop", "/orchctl/shop/api"],
                [],
            ),
            strict=True,
        ):
            store.delete(entry.key, expect=entry.version)
            server.wait_deployed()
            assert groups(server) == left

    def test_an_app_of_somebody_else_keeps_them(self, server: Marathon, store: LedgerStore) -> None:
        entry = store.create(KEY, b"", {})
        theirs = {"id": "/orchctl/shop/web/other", "cmd": "sleep 100", "instances": 0, "mem": 16}
        assert Client(server.url).post("/v2/apps", theirs).status == 201
        server.wait_deployed()
        store.delete(KEY, expect=entry.version)
        server.wait_deployed()
        assert list(server.apps()) == ["/orchctl/shop/web/other"]

    def test_who_waits_for_the_lease_of_a_service_that_goes_does_not_lose_it(
        self, server: Marathon, store: LedgerStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other one tries again just before each removal, and that removal comes late."""
        lease = store.create("shop/web/lease", b"", {"token": "a"})
        other, held, remove = store_at(server.url), [], Writing.delete

        def late(self: Writing, path: str, query: Any = None) -> None:
            if self is store._writing and not held:
                with contextlib.suppress(AlreadyExists):
                    held.append(other.create("shop/web/lease", b"", {"token": "b"}))
                    server.wait_deployed()
            remove(self, path, query)

        monkeypatch.setattr(Writing, "delete", late)
        server.wait_deployed()
        store.delete(lease.key, expect=lease.version)
        assert [other.get(entry.key) for entry in held] == held
        server.wait_deployed()
        assert other.create("shop/web/lease", b"", {"token": "b"}) if not held else True


class TestWhatIsNoEntry:
    @pytest.mark.parametrize(
        "labels",
        [
            {},
            {"orchctl.dev/body": ""},
            {"orchctl.dev/key": KEY},
            {"orchctl.dev/key": KEY, "orchctl.dev/body": "no base64!"},
            {"orchctl.dev/key": "shop/web/r2", "orchctl.dev/body": ""},
        ],
    )
    def test_an_app_below_our_group_is_left_alone(
        self, server: Marathon, store: LedgerStore, labels: dict[str, str]
    ) -> None:
        app = {"id": PATH, "cmd": "sleep 100", "instances": 0, "mem": 16, "labels": labels}
        assert Client(server.url).post("/v2/apps", app).status == 201
        server.wait_deployed()
        assert store.get(KEY) is None
        assert list(store.list("shop/web/")) == []
        with pytest.raises(AlreadyExists):
            store.create(KEY, b"", {})
        store.delete(KEY, expect="v")
        assert PATH in server.apps()

    def test_a_prefix_may_end_inside_a_name(self, store: LedgerStore) -> None:
        for key in ("shop/web/r1", "shop/web/r2", "shop/web/lease", "shop/website/r1", "shopping/web/r1"):
            store.create(key, b"", {})
        assert [e.key for e in store.list("shop/web/r")] == ["shop/web/r1", "shop/web/r2"]
        assert [e.key for e in store.list("shop/web")] == [
            "shop/web/lease",
            "shop/web/r1",
            "shop/web/r2",
            "shop/website/r1",
        ]
        assert [e.key for e in store.list("shop/")][-1] == "shop/website/r1"
        assert len(store.list("")) == 5


class TestLocked:
    """An entry's own last change is a deployment, which locks it for a moment."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_LOCKED_LOOK_S", 0.001)

    @pytest.fixture
    def front(self, server: Marathon) -> Iterator[Front]:
        with Front(server.url) as front:
            yield front

    def locked(self, front: Front, *, times: int) -> None:
        """The next ``times`` writes find the app locked."""
        left = [None] * times

        def strike(request: Request) -> Response | None:
            if request.method == "GET" or not left:
                return None
            left.pop()
            said: dict[str, Any] = {"message": "App is locked", "deployments": [{"id": "d"}]}
            return answer(said, 409)

        front.strike = strike

    def test_it_is_tried_again_until_that_is_over(self, front: Front) -> None:
        store = store_at(front.url)
        entry = store.create(KEY, b"", {})
        self.locked(front, times=3)
        assert store.update(KEY, {"a": "1"}, expect=entry.version).meta == {"a": "1"}

    def test_it_is_given_up_like_a_server_that_does_not_answer(
        self, front: Front, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_LOCKED_S", 0.01)
        store = store_at(front.url)
        entry = store.create(KEY, b"", {})
        self.locked(front, times=10_000)
        with pytest.raises(Unreachable, match="could not be written"):
            store.delete(KEY, expect=entry.version)

    def test_what_is_just_being_removed_cannot_be_created(self, front: Front) -> None:
        self.locked(front, times=1)
        with pytest.raises(AlreadyExists):
            store_at(front.url).create(KEY, b"", {})


def test_an_entry_that_could_end_marathon_is_not_sent(server: Marathon, store: LedgerStore) -> None:
    before = server.writes()
    with pytest.raises(UsageError, match="at most"):
        store.create(KEY, b"x" * LARGEST_APP, {})
    assert server.writes() == before
