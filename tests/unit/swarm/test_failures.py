"""Every way an engine can fail has its error, its exit code and, where there is one, its hint."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from orchctl.core.context import Context
from orchctl.errors import (
    AlreadyExists,
    AuthRefused,
    Conflict,
    NotFound,
    OrchctlError,
    OutcomeUnknown,
    StalePlan,
    Unreachable,
    UsageError,
)
from orchctl_swarm.client import Reading, Writing
from orchctl_swarm.failures import from_answer
from orchctl_swarm.target import resolve


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (500, "rpc error: code = Unknown desc = update out of sequence", StalePlan),
        (409, "rpc error: code = AlreadyExists desc = name conflicts with an existing object", AlreadyExists),
        (500, "rpc error: code = Unknown desc = name conflicts with an existing object", AlreadyExists),
        (404, "service x not found", NotFound),
        (400, "rpc error: code = InvalidArgument desc = config 'x' is in use by the following service: y", Conflict),
        (403, "error while removing network: network x has active endpoints", Conflict),
        (503, 'This node is not a swarm manager. Use "docker swarm init"', UsageError),
        (503, "rpc error: The swarm does not have a leader.", Unreachable),
        (500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", Unreachable),
        (400, "rpc error: code = InvalidArgument desc = invalid memory value", UsageError),
        (500, "rpc error: code = Unknown desc = raft: raft message is too large and can't be sent", UsageError),
        (401, "authorization denied by plugin", AuthRefused),
        (403, "authorization denied by plugin", AuthRefused),
        (400, "Client sent an HTTP request to an HTTPS server.", Unreachable),
        (502, "bad gateway", Unreachable),
    ],
)
def test_an_answer_becomes_the_error_it_means(status: int, message: str, error: type[OrchctlError]) -> None:
    assert type(from_answer(status, message, where="unix:///x", write=False)) is error


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (500, "error while removing network: network shop_default not found", NotFound),
        (504, "upstream timed out", OutcomeUnknown),
        (502, "bad gateway", OutcomeUnknown),
        (503, "no server available", OutcomeUnknown),
        (500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", OutcomeUnknown),
        (500, "rpc error: code = Unknown desc = update out of sequence", StalePlan),
        (503, "rpc error: The swarm does not have a leader.", Unreachable),
        (503, 'This node is not a swarm manager. Use "docker swarm init"', UsageError),
        (401, "authorization denied by plugin", AuthRefused),
    ],
)
def test_after_a_write_it_may_have_been_carried_out(status: int, message: str, error: type[OrchctlError]) -> None:
    assert type(from_answer(status, message, where="unix:///x", write=True)) is error


def connect(host: str, tmp_path: Path, **settings: object) -> Reading:
    context = Context(name="t", backend="swarm", state_dir=tmp_path, settings={"host": host, **settings})
    return Reading(resolve(context, {}))


def test_a_socket_that_is_not_there_is_unreachable_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        connect(f"unix://{tmp_path}/absent.sock", tmp_path)
    assert "No such file" in caught.value.message
    assert caught.value.hint


def test_a_refused_port_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        connect("tcp://127.0.0.1:1", tmp_path)
    assert caught.value.hint


def test_an_unknown_host_name_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        connect("tcp://no-such-host.invalid:2375", tmp_path)
    assert caught.value.hint


class Peer:
    """A server on a unix socket that answers each connection with ``answers`` in turn, then hangs up."""

    def __init__(self, path: Path, *answers: bytes) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._answers = answers
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
        self._listener.close()


def answer(body: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


VERSION = answer('{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}')


def test_a_write_whose_answer_was_lost_has_an_unknown_outcome(tmp_path: Path) -> None:
    Peer(tmp_path / "s", VERSION, b"")
    reading = connect(f"unix://{tmp_path}/s", tmp_path)
    with pytest.raises(OutcomeUnknown):
        Writing(reading, lambda: None).post("/services/create", {})


def test_a_write_that_never_left_is_only_unreachable(tmp_path: Path) -> None:
    Peer(tmp_path / "s", VERSION)
    reading = connect(f"unix://{tmp_path}/s", tmp_path)
    (tmp_path / "s").unlink()
    with pytest.raises(Unreachable) as caught:
        Writing(reading, lambda: None).post("/services/create", {})
    assert not isinstance(caught.value, OutcomeUnknown)


def test_a_read_whose_answer_was_lost_is_unreachable(tmp_path: Path) -> None:
    Peer(tmp_path / "s", VERSION, b"")
    reading = connect(f"unix://{tmp_path}/s", tmp_path)
    with pytest.raises(Unreachable) as caught:
        reading.get("/services")
    assert not isinstance(caught.value, OutcomeUnknown)


@pytest.mark.parametrize("body", ['{"ApiVersion": "1.40"}', '{"ApiVersion": "1.24", "MinAPIVersion": "1.12"}'])
def test_an_engine_that_is_too_old_is_named(tmp_path: Path, body: str) -> None:
    Peer(tmp_path / "s", answer(body))
    with pytest.raises(UsageError, match=r"needs 1\.41"):
        connect(f"unix://{tmp_path}/s", tmp_path)


@pytest.mark.parametrize("body", ["hello", "{}", "[]"])
def test_something_that_is_no_engine_is_unreachable(tmp_path: Path, body: str) -> None:
    Peer(tmp_path / "s", answer(body))
    with pytest.raises(Unreachable, match="no container engine"):
        connect(f"unix://{tmp_path}/s", tmp_path)


def test_a_newer_engine_is_spoken_to_in_a_version_both_know(tmp_path: Path) -> None:
    paths: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "s"))
    listener.listen()

    def serve() -> None:
        for body in ('{"ApiVersion": "1.52", "MinAPIVersion": "1.44"}', "[]"):
            connection, _ = listener.accept()
            with connection:
                paths.append(connection.recv(65536).split(b" ")[1])
                connection.sendall(answer(body))

    threading.Thread(target=serve, daemon=True).start()
    connect(f"unix://{tmp_path}/s", tmp_path).get("/services")
    assert paths == [b"/version", b"/v1.45/services"]


def test_the_fence_is_asked_before_the_request_and_stops_it(tmp_path: Path) -> None:
    Peer(tmp_path / "s", VERSION)
    reading = connect(f"unix://{tmp_path}/s", tmp_path)

    def lost() -> None:
        raise Conflict("lease lost")

    with pytest.raises(Conflict, match="lease lost"):
        Writing(reading, lost).post("/services/create", {})
