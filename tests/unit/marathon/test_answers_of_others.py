"""Answers that Marathon would not give, or not in this time and size."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from orchctl.errors import Locked, NotFound, OrchctlError, OutcomeUnknown, Unreachable, UsageError
from orchctl_marathon import client as module
from orchctl_marathon.client import LARGEST_APP, Writing, is_deeper_than
from tests.servers.marathon.front import Front, always
from tests.servers.marathon.messages import Request, Response, answer
from tests.unit.marathon.clients import APP, BOTH, UPDATED, Action, get, put, reading, writing

GARBAGE = {
    "a page": b"<html><body>It works!</body></html>",
    "nothing": b"",
    "blanks": b" \r\n",
    "half an answer": b'{"version": "1.8',
    "a number": b"7",
    "a text": b'"hello"',
    "a list of numbers": b"[1, 2, 3]",
    "null": b"null",
    "no text at all": b"\xff\xfe\x00",
    "a deep nest": b"[" * 100_000,
    "a nest of mappings": b'{"a":' * 400 + b"1" + b"}" * 400,
    "a number without end": b"1" * 10_000,
}
READS: dict[str, Action] = {
    "object": get,
    "list in an object": lambda c: c.get_list("/v2/queue", "queue", lambda _item: True),
    "deployments": lambda c: c.deployments(),
}
WRITES: dict[str, Action] = {
    "create": lambda c: writing(c).create(APP),
    "put": put,
    "patch": lambda c: writing(c).patch("/v2/apps/a", {}),
    "restart": lambda c: writing(c).restart("/v2/apps/a"),
    "delete": lambda c: writing(c).delete("/v2/apps/a"),
}


class TestStrangeAnswers:
    @pytest.mark.parametrize("what", GARBAGE)
    @pytest.mark.parametrize("look", READS)
    def test_a_read_is_an_error_and_not_a_result(self, front: Front, look: str, what: str) -> None:
        front.strike = always(Response(200, GARBAGE[what], "application/json"))
        with pytest.raises(Unreachable, match="not what Marathon says there") as caught:
            READS[look](reading(front.url))
        assert not isinstance(caught.value, OutcomeUnknown)
        assert caught.value.hint

    @pytest.mark.parametrize("what", GARBAGE)
    @pytest.mark.parametrize("status", [200, 201, 404, 409])
    @pytest.mark.parametrize("write", WRITES)
    def test_the_outcome_of_a_write_is_unknown(self, front: Front, write: str, status: int, what: str) -> None:
        front.strike = always(Response(status, GARBAGE[what], "application/json"))
        with pytest.raises(OutcomeUnknown):
            WRITES[write](reading(front.url))
        assert front.writes == 1

    @pytest.mark.parametrize(
        "body", [{}, {"version": "x"}, {"deploymentId": "x"}, {"version": 1, "deploymentId": 2}, []]
    )
    @pytest.mark.parametrize("write", ["create", "put", "patch", "restart"])
    def test_a_write_answered_without_what_marathon_says_is_unknown(self, front: Front, write: str, body: Any) -> None:
        front.strike = always(answer(body))
        with pytest.raises(OutcomeUnknown):
            WRITES[write](reading(front.url))

    def test_an_app_of_wrong_types_in_the_answer_to_a_create_is_unknown(self, front: Front) -> None:
        front.strike = always(answer({**APP, "deployments": 5}, 201))
        with pytest.raises(OutcomeUnknown):
            WRITES["create"](reading(front.url))

    def test_a_202_without_a_body_is_the_answer_to_a_forced_cancellation(self, front: Front) -> None:
        front.strike = always(Response(202))
        writing(reading(front.url)).delete("/v2/deployments/d", {"force": "true"})
        with pytest.raises(OutcomeUnknown):
            put(reading(front.url))

    def test_a_page_of_a_proxy_that_finds_nothing_proves_nothing(self, front: Front) -> None:
        front.strike = always(Response(404, b"<h1>Not Found</h1>", "text/html"))
        with pytest.raises(Unreachable, match="not what Marathon"):
            reading(front.url).get("/v2/apps/a")
        front.strike = always(answer({"message": "App '/a' does not exist"}, 404))
        with pytest.raises(NotFound, match="does not exist"):
            reading(front.url).get("/v2/apps/a")

    @BOTH
    @pytest.mark.parametrize(
        ("status", "code"),
        [(304, 9), (400, 2), (401, 10), (403, 10), (405, 2), (408, 9), (413, 2), (415, 2), (422, 2), (429, 9)]
        + [(s, 9) for s in (500, 501, 502, 503, 504, 520)],
    )
    def test_every_status_is_one_of_our_errors_on_one_line(
        self, front: Front, status: int, code: int, action: Action
    ) -> None:
        front.strike = always(Response(status, b"<html>\n<body>no</body>\n</html>", "text/html"))
        with pytest.raises(OrchctlError) as caught:
            action(reading(front.url))
        assert caught.value.exit_code == code
        assert "\n" not in str(caught.value)
        assert "<" not in str(caught.value)

    @pytest.mark.parametrize(
        ("status", "body", "kind", "words"),
        [
            (400, {"message": "Invalid JSON", "details": "Unexpected end"}, UsageError, "Invalid JSON: Unexpected end"),
            (
                422,
                {"message": "Object is not valid", "details": [{"path": "/cpus", "errors": ["error.min", "b"]}]},
                UsageError,
                "Object is not valid: /cpus: error.min, b",
            ),
            (422, {"message": "no", "details": [7, {"path": 1}, {"errors": "x"}]}, UsageError, "no: 7"),
            (409, {"message": "App is locked", "deployments": [{"id": "d-1"}, {"id": "d-2"}]}, Locked, "locked"),
            (409, {"message": "An app with id [/a] already exists."}, OrchctlError, "already exists"),
            (500, {"message": "URI not found: http://x/v2"}, Unreachable, "URI not found"),
        ],
    )
    def test_marathons_own_detail_is_shown(
        self, front: Front, status: int, body: Any, kind: type[OrchctlError], words: str
    ) -> None:
        front.strike = always(answer(body, status))
        with pytest.raises(kind, match=words) as caught:
            put(reading(front.url))
        if isinstance(caught.value, Locked):
            assert caught.value.by == ("d-1", "d-2")

    def test_a_body_above_the_limit_is_not_sent(self, front: Front) -> None:
        front.strike = always(answer(UPDATED))
        fits = {"cmd": "x" * (LARGEST_APP - 100)}
        writing(reading(front.url)).put("/v2/apps/a", fits)
        assert len(front.seen) == 1
        with pytest.raises(UsageError, match=f"at most {LARGEST_APP}"):
            writing(reading(front.url)).put("/v2/apps/a", {"cmd": "x" * LARGEST_APP})
        assert len(front.seen) == 1


def flood(status: bytes) -> Iterator[bytes]:
    """1 GiB, as far as anybody reads it."""
    piece = b" " * (1 << 20)
    yield (
        b"HTTP/1.1 "
        + status
        + b"\r\nLocation: /elsewhere\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (1 << 30)
    )
    for _ in range(1 << 10):
        yield piece


_FLOODED = """
import resource, sys
from orchctl.errors import Unreachable
from orchctl_marathon.client import Reading
from orchctl_marathon.target import Target
client = Reading(Target(urls=(sys.argv[1],), source="test"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    client.get("/v2/apps/a")
except Unreachable as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.parametrize(("status", "words"), [(b"200 OK", "larger than 64 MiB"), (b"302 Found", "redirect")])
def test_a_gibibyte_is_given_up_early_and_memory_stays_small(front: Front, status: bytes, words: str) -> None:
    front.strike = lambda _request: flood(status)
    done = subprocess.run(
        [sys.executable, "-c", _FLOODED, front.url], capture_output=True, text=True, timeout=60, check=True
    )
    told, grown_mib = done.stdout.splitlines()
    assert words in told
    assert int(grown_mib) < 200


class TestSlowness:
    @BOTH
    @pytest.mark.parametrize("head", [b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n", b""])
    def test_a_body_that_trickles_is_given_up(
        self, front: Front, monkeypatch: pytest.MonkeyPatch, head: bytes, action: Action
    ) -> None:
        """Every drop comes within the time-out of a read, so only the whole can be too slow."""
        monkeypatch.setattr(module, "_SLOWEST", 0.01)
        monkeypatch.setattr(module, "WRITE_S", 60)
        ended = threading.Event()

        def trickle(_request: Request) -> Iterator[bytes]:
            yield b"HTTP/1.1 200 OK\r\n" + head + b"\r\n"
            while not ended.wait(0.02):
                yield b"1\r\n \r\n" if b"chunked" in head else b" "

        front.strike = trickle
        client = reading(front.url)
        client.patience_s = 60
        with pytest.raises(Unreachable, match="too slowly") as caught:
            action(client)
        ended.set()
        assert isinstance(caught.value, OutcomeUnknown) is (action is put)

    @BOTH
    def test_a_body_that_breaks_off_is_no_answer(self, front: Front, action: Action) -> None:
        whole = json.dumps({**UPDATED, "more": "x" * 100}).encode()
        front.strike = lambda _r: iter([b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", whole])
        with pytest.raises(Unreachable, match="broke off") as caught:
            action(reading(front.url))
        assert isinstance(caught.value, OutcomeUnknown) is (action is put)

    @BOTH
    @pytest.mark.parametrize(
        "head", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" * 300]
    )
    def test_a_head_that_is_none_is_no_answer(self, front: Front, head: bytes, action: Action) -> None:
        front.strike = lambda _r: iter([head])
        with pytest.raises(Unreachable) as caught:
            action(reading(front.url))
        assert isinstance(caught.value, OutcomeUnknown) is (action is put)

    def test_a_server_that_accepts_and_is_silent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "WRITE_S", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = reading(f"http://127.0.0.1:{silent.getsockname()[1]}")
            client.patience_s = 0.2
            with pytest.raises(Unreachable, match="timed out"):
                get(client)
            with pytest.raises(OutcomeUnknown, match="may have been carried out"):
                put(client)


def test_depth_is_counted_without_recursion() -> None:
    nested: Any = 1
    for _ in range(50):
        nested = [{"a": nested}, 7, "x"]
    assert not is_deeper_than(nested, 100)
    assert is_deeper_than([nested], 100)
    assert not is_deeper_than("text", 1)


def test_the_fence_is_asked_before_every_write(front: Front) -> None:
    class Lost(Exception):
        """The lease is somebody else's."""

    def lost() -> None:
        raise Lost

    front.strike = always(answer(UPDATED))
    client = Writing(reading(front.url), lost)
    for write in (
        lambda: client.create(APP),
        lambda: client.put("/a", {}),
        lambda: client.patch("/a", {}),
        lambda: client.restart("/a"),
        lambda: client.delete("/a"),
    ):
        with pytest.raises(Lost):
            write()
    assert front.seen == []
