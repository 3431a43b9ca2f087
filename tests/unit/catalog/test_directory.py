"""A catalog of which the token sees a part, and one that refuses: on a Consul in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.catalog.directory import ConsulDirectory
from orchctl.core.catalogs import Listing, Owner, Published, Seen
from orchctl.core.endpoint import Endpoint
from orchctl.errors import AuthRefused, StalePlan, UsageError
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Answered, Asked, Front, answering
from tests.unit.catalog.support import target_of

WEB, API = ("shop", "web"), ("shop", "api")
NODE = "orchctl-edge-cluster"


@pytest.fixture
def directory(front: Front, tmp_path: Path) -> Iterator[ConsulDirectory]:
    """With a token, as whoever is told that something is hidden."""
    (tmp_path / "token").write_text("t")
    with ConsulDirectory(target_of(front.url, tmp_path, token_file="token"), "edge") as directory:
        yield directory


def whole(owner: Owner, *, name: str = "", host: str = "10.0.0.1") -> list[Listing]:
    """One address of the service as a whole: all such are on one node of the cluster."""
    endpoint = Endpoint(service=owner[1], instance="", host=host, port=80, port_name="http")
    return [Listing(name=name or owner[1], endpoint=endpoint)]


def services(server: FakeConsul) -> list[str]:
    return sorted(row["Service"] for key, row in server.catalog.rows.items() if key[0] == "Service")


def nodes(server: FakeConsul) -> list[str]:
    return [key[1] for key in server.catalog.rows if key[0] == "Node"]


@pytest.fixture
def shared_node(directory: ConsulDirectory, server: FakeConsul) -> None:
    """Two services on one node, and a token that may see only one of them."""
    for owner in (WEB, API):
        directory.publish(owner, whole(owner))
    server.catalog.hidden = {"api"}


@pytest.mark.usefixtures("shared_node")
class TestWhatIsHidden:
    def test_a_node_with_hidden_entries_is_not_empty(self, directory: ConsulDirectory, server: FakeConsul) -> None:
        assert directory.publish(WEB, ()) == Published(removed=1)
        assert (services(server), nodes(server)) == (["api"], [NODE])
        assert directory.nodes_without_entries() == []
        assert directory.remove_nodes([NODE]) == 0
        assert services(server) == ["api"]
        server.catalog.hidden = set()
        directory.publish(API, ())
        assert (services(server), nodes(server)) == ([], [])

    def test_what_may_be_seen_is_listed_and_changed(self, directory: ConsulDirectory, server: FakeConsul) -> None:
        assert {*directory.listed()} == {*directory.stray()} == {WEB}
        assert directory.publish(WEB, whole(WEB, host="10.0.0.2")) == Published(changed=1)
        assert directory.publish(WEB, whole(WEB, host="10.0.0.2")) == Published()
        assert services(server) == ["api", "web"]

    def test_nothing_is_withdrawn_of_what_is_hidden_and_that_is_said(
        self, directory: ConsulDirectory, server: FakeConsul
    ) -> None:
        with pytest.raises(AuthRefused, match="the token may not see what is listed for cluster 'edge'") as caught:
            directory.publish(API, ())
        assert 'service_prefix "" { policy = "read" }' in caught.value.hint
        assert services(server) == ["api", "web"]

    def test_a_name_that_is_known_is_asked_for(self, directory: ConsulDirectory, server: FakeConsul) -> None:
        """A token for one service may not see the others, and has withdrawn its own before."""
        directory.publish(WEB, ())
        assert directory.publish(WEB, (), names=["web"]) == Published()
        with pytest.raises(AuthRefused, match="may not see all that is called 'api'"):
            directory.publish(API, (), names=["api"])

    def test_a_first_entry_needs_no_right_on_those_of_others(
        self, directory: ConsulDirectory, server: FakeConsul
    ) -> None:
        directory.publish(WEB, ())
        assert directory.listed() == {}
        assert directory.publish(WEB, whole(WEB)) == Published(added=1)

    def test_a_watch_does_not_show_a_name_as_empty(self, directory: ConsulDirectory) -> None:
        for look in (lambda: directory.find("api"), lambda: directory.changed("api", index=0, wait_s=1)):
            with pytest.raises(AuthRefused, match="may not see all that is called 'api'") as caught:
                look()
            assert 'service_prefix "api" { policy = "read" }' in caught.value.hint

    @pytest.mark.parametrize("sees_nodes", [True, False])
    def test_a_token_that_sees_nothing_is_told_so(
        self, directory: ConsulDirectory, server: FakeConsul, sees_nodes: bool
    ) -> None:
        server.catalog.hidden, server.catalog.sees_nodes = {"api", "web"}, sees_nodes
        looks: list[Callable[[], object]] = [directory.stray, lambda: directory.publish(WEB, ())]
        for look in looks if sees_nodes else [*looks, directory.listed]:
            with pytest.raises(AuthRefused, match="may not see what is listed"):
                look()
        assert services(server) == ["api", "web"]


def test_what_is_hidden_of_others_alone_hides_nothing_of_ours(directory: ConsulDirectory, server: FakeConsul) -> None:
    """A listing says that something is hidden also when it is not on any node of ours."""
    server.catalog.rows["Node", "theirs", ""] = {"Node": "theirs", "Address": "9.9.9.9", "Meta": {}, "ModifyIndex": 1}
    check = {"Node": "theirs", "CheckID": "c", "ServiceID": "x", "ServiceName": "x", "Notes": "", "ModifyIndex": 1}
    server.catalog.rows["Check", "theirs", "c"] = check
    server.catalog.hidden = {"x"}
    assert directory.publish(WEB, ()) == Published()
    assert directory.listed() == directory.stray() == {}


@pytest.mark.parametrize(
    ("default", "with_token", "removed"), [("deny", False, 0), ("allow", False, 1), ("deny", True, 1)]
)
def test_who_is_not_told_what_is_hidden_removes_no_node(
    front: Front, server: FakeConsul, tmp_path: Path, default: str, with_token: bool, removed: int
) -> None:
    """Consul 1.20 says that something was left out only to those who show a token."""
    (tmp_path / "token").write_text("t")

    def strike(_asked: Asked, carry_out: Callable[[], Answered]) -> Answered:
        answer = carry_out()
        return replace(answer, headers={**answer.headers, "X-Consul-Default-ACL-Policy": default})

    front.strike = strike
    settings = {"token_file": "token"} if with_token else {}
    with ConsulDirectory(target_of(front.url, tmp_path, **settings), "edge") as directory:
        directory.publish(WEB, whole(WEB))
        directory.publish(WEB, ())
        assert len(nodes(server)) == 1 - removed


@pytest.mark.parametrize(("header", "index"), [("3", 0), ("0", 0), ("", 0), ("12", 12)])
def test_an_index_that_went_back_starts_anew(front: Front, directory: ConsulDirectory, header: str, index: int) -> None:
    front.strike = answering(Answered(200, b"[]", {"X-Consul-Index": header}))
    assert directory.changed("web", index=9, wait_s=1) == Seen(index=index, found=())
    assert (front.requests[-1].query["index"], front.requests[-1].query["wait"]) == ("9", "1s")


def test_what_consul_will_not_take_is_told_at_once_in_its_words(directory: ConsulDirectory, front: Front) -> None:
    with pytest.raises(UsageError, match="refused the request: Invalid service address"):
        directory.publish(WEB, whole(WEB, host="0.0.0.0"))
    assert front.writes == 1


def test_a_right_that_is_missing_is_told_at_once(directory: ConsulDirectory, server: FakeConsul, front: Front) -> None:
    server.catalog.hidden = {"web"}
    with pytest.raises(AuthRefused) as caught:
        directory.publish(WEB, whole(WEB))
    assert caught.value.hint == 'the token\'s policy needs: service "web" { policy = "write" }'
    assert front.writes == 1


def test_whoever_is_quicker_is_waited_for_and_named_in_the_end(
    directory: ConsulDirectory, server: FakeConsul, front: Front
) -> None:
    directory.publish(WEB, whole(WEB))
    left = [3]

    def meanwhile(asked: Asked, carry_out: Callable[[], Answered]) -> Answered:
        """Somebody changes the entry between our look and our write."""
        if asked.path == "/v1/txn" and left[0]:
            left[0] -= 1
            for key, row in server.catalog.rows.items():
                if key[0] == "Service":
                    server.index += 1
                    row["ModifyIndex"] = server.index
        return carry_out()

    front.strike = meanwhile
    assert directory.publish(WEB, whole(WEB, host="10.0.0.2")) == Published(changed=1)
    left[0] = 1000
    with pytest.raises(StalePlan, match="web keeps changing; gave up after 20 attempts"):
        directory.publish(WEB, whole(WEB, host="10.0.0.3"))
