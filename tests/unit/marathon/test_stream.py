"""The open answer of the event stream: where it is asked for, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.errors import Unreachable
from orchctl_marathon.client import Reading
from tests.servers.marathon.front import Front, always
from tests.servers.marathon.messages import Response
from tests.servers.waiting import until
from tests.unit.marathon.clients import reading, with_token

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def test_it_goes_nowhere_else_either(front: Front, other: Front, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    front.strike = lambda r: Response(302, headers={"Location": other.url + r.target})
    with pytest.raises(Unreachable, match="not among"):
        Reading(with_token(tmp_path, front.url)).stream("/v2/events")
    assert other.seen == []


def test_the_next_server_is_asked_when_the_first_has_none(front: Front, other: Front) -> None:
    front.strike = always(Response(503))
    other.strike = lambda _request: iter([HEAD + b"\r\n", b"data: one\n\n"])
    with reading(front.url, other.url).stream("/v2/events") as stream:
        assert b"".join(stream.pieces()) == b"data: one\n\n"


def test_an_answer_without_a_body_is_over(front: Front) -> None:
    front.strike = lambda _request: iter([HEAD + b"Content-Length: 0\r\n\r\n"])
    with reading(front.url).stream("/v2/events") as stream:
        assert list(stream.pieces()) == []


def test_one_that_breaks_off_in_a_piece_is_unreachable(front: Front) -> None:
    front.strike = lambda _request: iter(
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\ndata:\r\n", b"ff\r\nhalf"]
    )
    with reading(front.url).stream("/v2/events") as stream, pytest.raises(Unreachable, match="broke off"):
        list(stream.pieces())


def test_hanging_up_ends_a_thread_that_reads(front: Front) -> None:
    over = threading.Event()

    def silent(_request: object) -> Iterator[bytes]:
        yield HEAD + b"\r\n"
        over.wait(120)

    front.strike = silent
    with reading(front.url).stream("/v2/events") as stream:
        thread = threading.Thread(target=lambda: list(stream.pieces()))
        thread.start()
        assert thread.is_alive()
        stream.hang_up()
        thread.join(120)
        assert not thread.is_alive()
    over.set()


def test_nothing_stays_open(front: Front) -> None:
    front.strike = lambda _request: iter([HEAD + b"\r\n", b"data: one\n\n"])
    client = reading(front.url)

    def read() -> None:
        with client.stream("/v2/events") as stream:
            list(stream.pieces())
        stream.hang_up()

    read()  # so that the server's own thread has opened what it keeps
    before = open_files()
    for _ in range(5):
        read()
    until("the server's ends to close", lambda: open_files() <= before)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
