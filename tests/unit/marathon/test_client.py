"""The client: which server it asks, where credentials go, what the environment may not decide, whatever may answer."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from orchctl.core.context import Context
from orchctl.errors import AuthRefused, OutcomeUnknown, Unreachable, UsageError
from orchctl_marathon.client import Reading
from orchctl_marathon.failures import from_transport
from orchctl_marathon.target import resolve
from tests.servers.marathon import Marathon
from tests.servers.marathon.front import Front, always, lost_before
from tests.servers.marathon.messages import Response, answer
from tests.unit.marathon.clients import (
    APP,
    BOTH,
    UPDATED,
    Action,
    get,
    put,
    reading,
    refused_port,
    served,
    with_token,
    writing,
)


class TestSeveralServers:
    @BOTH
    def test_when_the_first_is_down_the_next_is_asked_and_then_first(self, front: Front, action: Action) -> None:
        front.strike = always(answer(UPDATED))
        client = reading(refused_port(), front.url)
        for _ in range(2):
            action(client)
        assert len(front.seen) == 2
        assert client.target.urls[client._first] == front.url

    @BOTH
    def test_a_server_without_a_leader_passes_the_turn(self, front: Front, other: Front, action: Action) -> None:
        front.strike = always(Response(503, b"<h1>Could not determine the current leader</h1>", "text/html"))
        other.strike = always(answer(UPDATED))
        action(reading(front.url, other.url))
        assert len(other.seen) == 1

    def test_a_lost_read_is_asked_elsewhere_and_a_lost_write_is_not(self, front: Front, other: Front) -> None:
        front.strike, other.strike = lost_before, always(answer(UPDATED))
        client = reading(front.url, other.url)
        with pytest.raises(OutcomeUnknown):
            put(client)
        assert (front.writes, other.writes) == (1, 0)
        get(client)
        assert served(other) == ["GET /v2/info"]

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_a_write_that_may_have_arrived_is_not_sent_again(self, front: Front, other: Front, status: int) -> None:
        front.strike, other.strike = always(Response(status)), always(answer(UPDATED))
        with pytest.raises(OutcomeUnknown):
            put(reading(front.url, other.url))
        assert other.seen == []

    @BOTH
    def test_when_all_are_down_it_is_unreachable_and_nothing_was_sent(self, action: Action) -> None:
        with pytest.raises(Unreachable, match="refused") as caught:
            action(reading(refused_port(), refused_port()))
        assert not isinstance(caught.value, OutcomeUnknown)

    def test_an_earlier_refusal_says_nothing_about_a_later_write(self) -> None:
        """Cleaning up after a refused connection happens while that error is handled."""
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except ConnectionRefusedError:
            try:
                raise requests.exceptions.ReadTimeout("read timed out")
            except requests.exceptions.ReadTimeout as later:
                found = from_transport(later, where="test", write=True)
        assert isinstance(found, OutcomeUnknown)

    def test_a_standby_that_passes_on_serves_reads_and_writes(self, leader: Marathon) -> None:
        client = reading(leader.urls[1])
        writing(client).create(APP)
        assert client.get("/v2/apps/orchctl-test")["app"]["id"] == "/orchctl-test"
        leader.delete_app("/orchctl-test")


class TestRedirects:
    @BOTH
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_inside_the_set_it_is_followed_once_with_method_body_and_credentials(
        self, front: Front, other: Front, tmp_path: Path, status: int, action: Action
    ) -> None:
        (tmp_path / "token").write_text("t0ken")
        front.strike = lambda r: Response(status, headers={"Location": other.url + r.target})
        other.strike = always(answer(UPDATED))
        target = with_token(tmp_path, front.url, other.url)
        action(Reading(target))
        first, second = front.seen[0], other.seen[0]
        assert (second.method, second.target, second.body) == (first.method, first.target, first.body)
        assert second.headers["authorization"] == "token=t0ken"

    @BOTH
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_foreign_host_never_sees_a_request(
        self, front: Front, other: Front, tmp_path: Path, status: int, action: Action
    ) -> None:
        (tmp_path / "token").write_text("t0ken")
        front.strike = lambda r: Response(status, headers={"Location": other.url + r.target})
        other.strike = always(answer(UPDATED))
        with pytest.raises(Unreachable, match="not among the context's urls") as caught:
            action(Reading(with_token(tmp_path, front.url)))
        assert other.url in str(caught.value)
        assert "credentials were not sent there" in caught.value.hint
        assert other.seen == []
        assert front.seen[0].headers["authorization"] == "token=t0ken"

    @pytest.mark.parametrize(
        "location",
        [
            "",
            "//elsewhere/v2/info",
            "http://[::1",
            "http://127.0.0.1:99999999/",
            "https://127.0.0.1",
            "file:///etc/passwd",
        ],
    )
    def test_a_place_that_is_none_of_ours_is_refused(self, front: Front, location: str) -> None:
        front.strike = always(Response(302, headers={"Location": location} if location else {}))
        with pytest.raises(Unreachable, match="it sends us to"):
            get(reading(front.url))
        assert len(front.seen) == 1

    def test_credentials_in_a_redirect_are_not_taken_over(self, front: Front) -> None:
        place = front.url.replace("http://", "http://me:other@")
        front.strike = lambda r: Response(302, headers={"Location": place + r.target})
        with pytest.raises(Unreachable, match="it sends us to"):
            get(reading(front.url))
        assert [r.headers.get("authorization") for r in front.seen] == [None]

    @BOTH
    def test_a_loop_ends(self, front: Front, other: Front, action: Action) -> None:
        front.strike = lambda r: Response(302, headers={"Location": other.url + r.target})
        other.strike = lambda r: Response(302, headers={"Location": front.url + r.target})
        with pytest.raises(Unreachable, match="one redirect after another"):
            action(reading(front.url, other.url))
        assert len(front.seen) + len(other.seen) <= 4

    def test_another_server_such_as_an_agent_gets_no_credentials(
        self, front: Front, other: Front, tmp_path: Path
    ) -> None:
        (tmp_path / "token").write_text("t0ken")
        other.strike = always(answer({}))
        Reading(with_token(tmp_path, front.url)).fetch(f"{other.url}/slaves")
        assert "authorization" not in other.seen[0].headers

    def test_a_redirect_with_a_body_is_no_answer(self, front: Front) -> None:
        front.strike = lambda _r: Response(302, b'{"slaves": []}', "application/json", {"Location": "http://x/"})
        with pytest.raises(Unreachable, match="not what"):
            reading(front.url).fetch(f"{front.url}/slaves")


class TestWhoWeAre:
    def test_user_and_password(self, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("right\n")
        with Marathon(processes=False, credentials=("me", "right")) as server:
            assert connected(tmp_path, server.url, {"user": "me", "password_file": "password"}).version() == (1, 8)
            (tmp_path / "password").write_text("wr0ng\n")
            with pytest.raises(AuthRefused, match="401") as caught:
                connected(tmp_path, server.url, {"user": "me", "password_file": "password"}).version()
            assert "set auth" in caught.value.hint
            assert "wr0ng" not in str(caught.value)
            with pytest.raises(AuthRefused):
                reading(server.url).version()

    def test_a_token_that_is_rotated_between_two_requests(self, tmp_path: Path, front: Front) -> None:
        token = tmp_path / "token"
        token.write_text("first")
        front.strike = lambda r: (
            answer({"version": "1.8.0"})
            if r.headers["authorization"] == f"token={token.read_text()}"
            else Response(401)
        )
        client = connected(tmp_path, front.url, {"token_file": "token"})
        client.get("/v2/info")
        token.write_text("second")
        client.get("/v2/info")
        assert [r.headers["authorization"] for r in front.seen] == ["token=first", "token=second"]

    @BOTH
    @pytest.mark.parametrize("body", [b"", b"<html><body>Unauthorized</body></html>"])
    def test_a_401_says_what_to_do_whatever_its_body(self, front: Front, body: bytes, action: Action) -> None:
        front.strike = always(Response(401, body, "text/html", {"WWW-Authenticate": 'basic realm="null"'}))
        with pytest.raises(AuthRefused, match="wants other credentials") as caught:
            action(reading(front.url))
        assert caught.value.hint
        assert "<" not in str(caught.value)

    @BOTH
    def test_a_403_shows_marathons_words(self, front: Front, action: Action) -> None:
        front.strike = always(answer({"message": "Not Authorized to perform this action!"}, 403))
        with pytest.raises(AuthRefused, match="Not Authorized to perform this action!"):
            action(reading(front.url))

    def test_a_500_for_a_broken_header_is_no_bug_of_ours(self, front: Front) -> None:
        """Recorded: a Basic header that is no base64 makes Marathon fall over, with an empty body."""
        front.strike = always(Response(500, reason="Server Error", is_bare=True))
        with pytest.raises(Unreachable, match="HTTP 500"):
            get(reading(front.url))

    def test_everything_is_below_the_base_path(self, tmp_path: Path) -> None:
        with Marathon(processes=False, base_path="/service/marathon") as server:
            client = reading(server.url)
            assert client.version() == (1, 8)
            writing(client).create(APP)
            assert {r.path.split("/v2")[0] for r in server.requests} == {"/service/marathon"}
            with pytest.raises(Unreachable, match="not what Marathon says"):
                reading(server.url.removesuffix("/service/marathon")).version()

    @pytest.mark.parametrize("version", ["1.7.202", "0.11.1"])
    def test_an_old_marathon_is_refused(self, front: Front, version: str) -> None:
        front.strike = always(answer({"version": version}))
        with pytest.raises(UsageError, match=rf"this is Marathon {version}.*1\.8 or newer"):
            reading(front.url).version()

    @pytest.mark.parametrize("info", [{}, {"version": 1}, {"version": "master"}, {"version": None}, {"version": "1"}])
    def test_what_has_no_version_is_no_marathon(self, front: Front, info: dict[str, Any]) -> None:
        front.strike = always(answer(info))
        with pytest.raises(Unreachable, match="is this a Marathon"):
            reading(front.url).version()


def connected(folder: Path, url: str, auth: dict[str, str], **more: Any) -> Reading:
    settings = {"urls": [url], **({"auth": auth} if auth else {}), **more}
    context = Context(name="t", backend="marathon", state_dir=folder, base_dir=folder, settings=settings)
    return Reading(resolve(context, dict(os.environ)))


class TestEnvironment:
    def test_the_contexts_authority_wins_over_the_environments_bundle(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right, wrong = trustme.CA(), trustme.CA()
        right.cert_pem.write_to_path(str(tmp_path / "right.pem"))
        wrong.cert_pem.write_to_path(str(tmp_path / "wrong.pem"))
        issued = right.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert"))
        issued.private_key_pem.write_to_path(str(tmp_path / "key"))
        with Marathon(processes=False, certificate=(tmp_path / "cert", tmp_path / "key")) as server:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "wrong.pem"))
            assert connected(tmp_path, server.url, {}, ca="right.pem").version() == (1, 8)
            with pytest.raises(Unreachable) as caught:
                connected(tmp_path, server.url, {}).version()
            assert "is ca the authority" in caught.value.hint
            with pytest.raises(Unreachable) as caught:
                put(connected(tmp_path, server.url, {}))
            assert not isinstance(caught.value, OutcomeUnknown), "a certificate is refused before anything is sent"
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "right.pem"))
            assert connected(tmp_path, server.url, {}).version() == (1, 8)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
            with pytest.raises(UsageError, match=r"absent\.pem"):
                connected(tmp_path, server.url, {}).version()

    def test_an_answer_that_tls_breaks_off_leaves_a_write_unknown(self) -> None:
        broken = requests.exceptions.SSLError("EOF occurred in violation of protocol")
        assert isinstance(from_transport(broken, where="test", write=True), OutcomeUnknown)
        assert type(from_transport(broken, where="test", write=False)) is Unreachable

    def test_neither_proxies_nor_a_netrc_of_the_environment_are_used(
        self, front: Front, other: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
        (tmp_path / ".netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, other.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        front.strike = always(answer({"version": "1.8.0"}))
        get(reading(front.url))
        with contextlib.suppress(Unreachable):
            reading(front.url).stream("/v2/events")
        assert other.seen == []
        assert [r.headers.get("authorization") for r in front.seen] == [None] * len(front.seen)
