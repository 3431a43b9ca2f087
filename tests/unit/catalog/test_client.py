"""The client: what it sends, what it does not let the environment decide, and whatever may answer."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchctl.catalog import transport
from orchctl.catalog.consul import MOST_TRANSACTION_BYTES, Consul, Pair, Refused, Step
from orchctl.catalog.transport import MOST_BYTES
from orchctl.errors import AuthRefused, OrchctlError, OutcomeUnknown, Unreachable, UsageError
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Answered, Asked, Front, answering, lost_after, lost_before
from tests.servers.serving import served
from tests.unit.catalog.support import connected, target_of

GARBAGE = {
    "a page": b"<html><body>It works!</body></html>",
    "nothing": b"",
    "half an answer": b'[{"Key": "a", "Val',
    "a number": b"7",
    "a text": b'"hello"',
    "an object": b'{"message": "hello"}',
    "numbers for keys": b"[1, 2, 3]",
    "keys without values": b'[{"Key": "a"}]',
    "a key that is none": b'[{"Key": 7, "Value": "", "ModifyIndex": 1}]',
    "an index that is none": b'[{"Key": "a", "Value": "", "ModifyIndex": "x"}]',
    "a value that is not base64": b'[{"Key": "a", "Value": "a", "ModifyIndex": 1}]',
    "another key": b'[{"Key": "zzz", "Value": null, "ModifyIndex": 1}]',
    "no results": b'{"Results": null, "Errors": null}',
    "results without the key": b'{"Results": [{"KV": {"Key": "zzz", "ModifyIndex": 1}}], "Errors": null}',
    "errors that are none": b'{"Results": null, "Errors": [7]}',
    "null": b"null",
    "a deep nest": b"[" * 100_000,
}
READS: dict[str, Callable[[Consul], object]] = {
    "get": lambda c: c.get("a"),
    "list": lambda c: c.list("a/"),
    "leader": lambda c: c.leader(),
    "version": lambda c: c.version(),
    "create_session": lambda c: c.create_session("n", ttl_s=10, lock_delay_s=1),
    "renew_session": lambda c: c.renew_session("00000000-0000-0000-0000-000000000000"),
}
CAS = [Step(verb="cas", key="a", value=b"x")]


STRANGE = [(look, what) for look in READS for what in GARBAGE if (look, what) != ("leader", "a text")]


@pytest.mark.parametrize(("look", "what"), STRANGE)
def test_a_strange_answer_is_an_error_and_not_a_result(front: Front, client: Consul, look: str, what: str) -> None:
    front.strike = answering(Answered(200, GARBAGE[what], {"X-Consul-Index": "7"}))
    with pytest.raises(Unreachable, match="not what Consul says there; is this a Consul agent") as caught:
        READS[look](client)
    assert not isinstance(caught.value, OutcomeUnknown)


@pytest.mark.parametrize("body", [b for n, b in GARBAGE.items() if n != "an object"])
@pytest.mark.parametrize("status", [200, 404, 409])
def test_a_strange_answer_to_a_write_leaves_its_outcome_unknown(
    front: Front, client: Consul, status: int, body: bytes
) -> None:
    front.strike = answering(Answered(status, body))
    with pytest.raises(OutcomeUnknown):
        client.transact(CAS)


def test_a_server_that_finds_nothing_is_no_empty_store(front: Front, client: Consul) -> None:
    front.strike = answering(Answered(404, b"<h1>Not Found</h1>"))
    with pytest.raises(Unreachable):
        client.get("a")


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 405, 413, 429, 500, 502, 503, 504])
def test_every_status_is_one_of_our_errors_on_one_line(front: Front, client: Consul, status: int) -> None:
    front.strike = answering(Answered(status, b"<html>\n<body>no</body>\n</html>", {"Location": "http://elsewhere/"}))
    for action in (lambda: client.get("a"), lambda: client.transact(CAS)):
        with pytest.raises(OrchctlError) as caught:
            action()
        assert caught.value.exit_code in (2, 9, 10)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "text", "read", "write"),
    [
        (500, b"No cluster leader", Unreachable, Unreachable),
        (500, b"rpc error making call: EOF", Unreachable, OutcomeUnknown),
        (503, b"rate limit exceeded, try again later or against a different server", Unreachable, Unreachable),
        (429, b"Your IP is issuing too many concurrent connections", Unreachable, Unreachable),
        (502, b"Bad Gateway", Unreachable, OutcomeUnknown),
        (403, b"ACL not found", AuthRefused, AuthRefused),
        (413, b"Request body too large", UsageError, UsageError),
    ],
)
def test_only_a_write_that_may_have_arrived_is_unknown(
    front: Front, client: Consul, status: int, text: bytes, read: type[OrchctlError], write: type[OrchctlError]
) -> None:
    front.strike = answering(Answered(status, text))
    with pytest.raises(OrchctlError) as caught:
        client.get("a")
    assert type(caught.value) is read
    with pytest.raises(OrchctlError) as caught:
        client.transact(CAS)
    assert type(caught.value) is write


@pytest.mark.parametrize("strike", [lost_before, lost_after])
def test_an_answer_that_is_lost(front: Front, client: Consul, server: FakeConsul, strike: object) -> None:
    front.strike = lost_before if strike is lost_before else lost_after
    with pytest.raises(Unreachable) as caught:
        client.get("a")
    assert not isinstance(caught.value, OutcomeUnknown)
    with pytest.raises(OutcomeUnknown):
        client.transact(CAS)
    assert ("a" in server.pairs) is (strike is lost_after)


def test_a_lost_answer_about_a_session_is_no_unknown_write(front: Front, client: Consul) -> None:
    front.strike = lost_after
    for action in (
        lambda: client.create_session("n", ttl_s=10, lock_delay_s=1),
        lambda: client.renew_session("x"),
        lambda: client.destroy_session("x"),
    ):
        with pytest.raises(Unreachable) as caught:
            action()
        assert type(caught.value) is Unreachable


def test_a_missing_right_is_named_as_the_rule_that_grants_it(front: Front, client: Consul) -> None:
    text = b"Permission denied: token with AccessorID 'x' lacks permission 'key:read' on \"orchctl/prod/a\""
    front.strike = answering(Answered(403, text))
    with pytest.raises(AuthRefused) as caught:
        client.get("orchctl/prod/a")
    assert caught.value.hint == 'the token\'s policy needs: key "orchctl/prod/a" { policy = "read" }'


def test_a_right_that_a_transaction_lacks_is_no_conflict(server: FakeConsul, client: Consul) -> None:
    server.may_write = False
    with pytest.raises(AuthRefused) as caught:
        client.transact([Step(verb="cas", key="orchctl/prod/a", value=b"x")])
    assert caught.value.hint == 'the token\'s policy needs: key "orchctl/prod/a" { policy = "write" }'
    with pytest.raises(AuthRefused, match="session:write"):
        client.may_create_sessions()


def test_asking_whether_sessions_may_be_created_creates_none(server: FakeConsul, client: Consul) -> None:
    client.may_create_sessions()
    assert server.sessions == {}


def test_what_the_token_may_not_see_is_refused_and_not_left_out(front: Front, client: Consul) -> None:
    hidden = {"X-Consul-Index": "7", "X-Consul-Results-Filtered-By-ACLs": "true"}
    pairs = b'[{"Key": "a/b", "Value": null, "ModifyIndex": 1}]'
    front.strike = answering(Answered(200, pairs, hidden))
    with pytest.raises(AuthRefused, match="may not see all of a/"):
        client.list("a/")


def test_a_body_without_an_end_is_given_up(front: Front, client: Consul) -> None:
    """1 GiB is announced; the client stops at its bound and does not wait for the rest."""
    front.strike = answering(Answered(200, b"x" * (MOST_BYTES + 1), {"X-Consul-Index": "7"}))
    with pytest.raises(Unreachable, match="larger than 64 MiB"):
        client.get("a")


def test_an_answer_in_drops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each drop comes within the time-out, all of them together do not."""
    monkeypatch.setattr(transport, "_SLOWEST", 0.01)
    drops = 400

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: %d\r\n\r\n" % drops)
            with contextlib.suppress(OSError):
                for server.sent in range(1, drops + 1):
                    self.request.sendall(b" ")
                    over.wait(0.05)
            over.set()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        sent = 0

    over = threading.Event()
    with Server(("127.0.0.1", 0), Drip) as server, served(server):
        client = connected(f"http://127.0.0.1:{server.server_address[1]}")
        client.set_patience(60)
        with pytest.raises(Unreachable, match="comes too slowly"):
            client.get("a")
        assert server.sent < drops


def test_a_hanging_server_is_given_up_when_patience_ends(front: Front, client: Consul) -> None:
    over = threading.Event()

    def silent(_asked: Asked, _carry_out: Callable[[], Answered]) -> Answered | None:
        over.wait(60)
        return None

    front.strike = silent
    client.set_patience(0.3)
    try:
        with pytest.raises(Unreachable):
            client.get("a")
        assert not over.is_set()
    finally:
        over.set()


def test_a_redirection_is_not_followed(front: Front, server: FakeConsul) -> None:
    with Front(server.respond) as elsewhere:
        front.strike = answering(Answered(307, b"", {"Location": f"{elsewhere.url}/v1/kv/a"}))
        with pytest.raises(Unreachable, match="redirection"):
            connected(front.url).get("a")
        assert elsewhere.requests == []


def test_the_environments_token_and_address_change_nothing(
    front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """py-consul 1.8 takes CONSUL_HTTP_TOKEN over the token it is given."""
    (tmp_path / "token").write_text("of-the-file")
    for name, value in {
        "CONSUL_HTTP_TOKEN": "of-the-environment",
        "CONSUL_HTTP_ADDR": "unix:///nowhere",
        "CONSUL_HTTP_SSL": "true",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    connected(front.url, tmp_path, token_file="token").list("a/")
    connected(front.url).list("a/")
    sent = [asked.headers.get("X-Consul-Token") for asked in front.requests]
    assert sent == ["of-the-file", "of-the-file", None, None]


def test_the_datacenter_is_sent_with_every_request(front: Front, tmp_path: Path) -> None:
    """py-consul 1.8 forgets it, and the token, for transactions."""
    (tmp_path / "token").write_text("t")
    client = connected(front.url, tmp_path, datacenter="dc7", token_file="token")
    client.list("a/")
    client.transact(CAS)
    session = client.create_session("n", ttl_s=10, lock_delay_s=1)
    client.renew_session(session)
    client.destroy_session(session)
    client.may_create_sessions()
    assert {(asked.query.get("dc"), asked.headers["X-Consul-Token"]) for asked in front.requests} == {("dc7", "t")}


def test_reads_ask_for_what_a_majority_confirms(front: Front, client: Consul) -> None:
    client.get("a")
    assert front.requests[-1].query["consistent"] == "1"


def test_pairs_and_indexes_have_their_types(client: Consul, server: FakeConsul) -> None:
    [written] = client.transact([Step(verb="cas", key="a/b", value=b"\x00\xff")])
    assert client.get("a/b") == Pair(key="a/b", value=b"\x00\xff", index=written.index)
    assert (written.index, type(written.index)) == (server.index, int)


def test_a_transaction_that_was_refused_says_where_and_why(client: Consul) -> None:
    client.transact(CAS)
    with pytest.raises(Refused, match="index is stale") as caught:
        client.transact([Step(verb="check-index", key="a", index=11), *CAS])
    assert caught.value.step == 1


def test_a_transaction_that_is_too_large_is_not_sent(front: Front, client: Consul) -> None:
    with pytest.raises(UsageError, match="more than the 512 KiB"):
        client.transact([Step(verb="cas", key="a", value=b"x" * MOST_TRANSACTION_BYTES)])
    assert front.requests == []


def test_after_a_silence_the_next_requests_are_given_less_time(front: Front, client: Consul) -> None:
    over = threading.Event()

    def silent(_asked: Asked, _carry_out: Callable[[], Answered]) -> Answered | None:
        over.wait(60)
        return None

    http = client._client.http
    client.set_patience(0.2)
    assert http._patience("PUT", ()) == 10.0
    front.strike = silent
    try:
        with pytest.raises(Unreachable):
            client.get("a")
        assert http._patience("PUT", ()) == 2.0
    finally:
        over.set()
    front.strike = lambda _asked, carry_out: carry_out()
    client.set_patience(60)
    client.get("a")
    assert http._patience("PUT", ()) == 10.0


def test_a_blocking_query_is_given_the_time_it_waits_and_a_sixteenth(client: Consul) -> None:
    http = client._client.http
    assert http._patience("GET", [("index", 7), ("wait", "160s")]) == 10.0 + 170.0
    assert http._patience("GET", [("recurse", "1")]) == 10.0


def test_nobody_there_is_unreachable_for_a_write_too() -> None:
    with Front(FakeConsul().respond) as gone:
        url = gone.url
    client = connected(url)
    actions: list[Callable[[], object]] = [lambda: client.get("a"), lambda: client.transact(CAS)]
    for action in actions:
        with pytest.raises(Unreachable, match=r"Consul at http://127\.0\.0\.1:\d+") as caught:
            action()
        assert type(caught.value) is Unreachable
        assert "is Consul running" in caught.value.hint


def _in_a_process(tmp_path: Path, setup: str) -> dict[str, str]:
    """What ``Consul(...)`` raises in a Python where ``setup`` came first."""
    script = f"""
import json, sys
{setup}
from orchctl.catalog.consul import Consul
from orchctl.catalog.target import Target
try:
    Consul(Target(scheme="http", host="h", port=1))
except Exception as error:
    print(json.dumps({{"kind": type(error).__name__, "text": str(error), "hint": getattr(error, "hint", "")}}))
"""
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_without_the_package_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    found = _in_a_process(tmp_path, "sys.modules['consul'] = None")
    assert found["kind"] == "BackendUnavailable"
    assert found["hint"] == "pip install 'orchctl[consul]'"


def test_the_package_that_ended_in_2018_is_recognised(tmp_path: Path) -> None:
    """python-consul 1.1.0 and py-consul are both called consul; the files of the one installed last are there."""
    (tmp_path / "consul").mkdir()
    (tmp_path / "consul" / "__init__.py").write_text("__version__ = '1.1.0'\nfrom consul.std import Consul\n")
    (tmp_path / "consul" / "std.py").write_text("from consul import base\nclass Consul(base.Consul): ...\n")
    (tmp_path / "consul" / "base.py").write_text("class Consul:\n    class KV: ...\n")
    found = _in_a_process(tmp_path, "")
    assert found["kind"] == "BackendUnavailable"
    assert "python-consul, which ended in 2018" in found["text"]
    assert "pip uninstall python-consul" in found["hint"]


def test_a_package_that_is_broken_inside_shows_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "consul").mkdir()
    (tmp_path / "consul" / "__init__.py").write_text("import something_that_is_missing\n")
    found = _in_a_process(tmp_path, "")
    assert found["kind"] == "ModuleNotFoundError"
    assert "something_that_is_missing" in found["text"]


def test_the_configuration_decides_what_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    (tmp_path / "ca.pem").touch()
    client = Consul(target_of("https://h:8501", tmp_path, dict(os.environ), ca="ca.pem"))
    assert client._client.http.verify == str(tmp_path / "ca.pem")
    assert client._client.http._session.trust_env is False


def test_the_body_of_a_redirect_is_bounded_like_any_other(
    front: Front, client: Consul, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not followed was read whole all the same, by the library."""
    monkeypatch.setattr(transport, "MOST_BYTES", 1 << 20)
    front.strike = answering(Answered(307, b"x" * (2 << 20), {"Location": "http://elsewhere.invalid/"}))
    with pytest.raises(Unreachable, match="larger than 1 MiB"):
        client.get("a")
