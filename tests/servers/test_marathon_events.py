"""The event stream of our Marathon, byte by byte where it was recorded."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.marathon import Marathon, events
from tests.servers.marathon.client import Client
from tests.servers.marathon.clock import Clock
from tests.servers.marathon.events import Events, Subscription
from tests.servers.marathon.replay import DATA, Names, compare
from tests.servers.waiting import until

APP = {"id": "/min", "cmd": "sleep 100", "cpus": 0.1, "mem": 32}
STREAMS = sorted((DATA / "sse").glob("*.raw.txt"))
EXAMPLES = json.loads((DATA / "sse" / "event-type-examples.json").read_text())


@pytest.fixture
def marathon() -> Iterator[Marathon]:
    with Marathon(processes=False) as server:
        yield server


class Stream:
    """A raw connection: no library hides line ends."""

    def __init__(self, marathon: Marathon, query: str = "") -> None:
        host, _, port = marathon.masters[0].address.partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        head = f"GET /v2/events{query} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n\r\n"
        self._socket.sendall(head.encode())
        self.seen = b""

    def read_until(self, part: bytes) -> bytes:
        while part not in self.seen:
            more = self._socket.recv(65536)
            assert more, f"ended without {part!r}: {self.seen!r}"
            self.seen += more
        return self.seen

    def read_through(self, part: bytes) -> bytes:
        """Until the end of the event that ``part`` begins."""
        self.read_until(part)
        while not self.seen.partition(part)[2].endswith(b"\r\n\r\n"):
            self.seen += self._socket.recv(65536)
        return self.seen

    def close(self) -> None:
        self._socket.close()


def parsed(raw: bytes) -> tuple[list[str], list[dict[str, Any]]]:
    """Header names and events; fails unless every byte is where it belongs."""
    head, _, body = raw.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].decode() for line in head.split(b"\r\n")[1:]]
    found = []
    for block in body.decode().removesuffix("\r\n\r\n").split("\r\n\r\n"):
        match = re.fullmatch(r"(?:\r\n)*event: (\w+)\r\ndata: (\{[^\r\n]*\})", block)
        if block.strip():
            assert match, block
            found.append(json.loads(match[2]))
            assert found[-1]["eventType"] == match[1]
    return names, found


@pytest.mark.parametrize("file", STREAMS, ids=lambda file: file.name)
def test_recorded_events_are_written_with_the_recorded_bytes(file: Path) -> None:
    idle = re.compile(rb"(?<=\r\n\r\n)(\r\n)+")
    body = idle.sub(b"", file.read_bytes().partition(b"\r\n\r\n")[2])
    _, recorded = parsed(file.read_bytes())
    ours, listener = Events(Clock()), Subscription("127.0.0.1", ())
    ours.subscribe(listener)
    listener.next()  # its own attachment
    for event in recorded:
        ours.publish(event["eventType"], **event)
    written = b"".join(listener.next() for _ in recorded)
    assert written == body


def test_the_head_and_the_framing_are_those_of_the_recording(marathon: Marathon) -> None:
    stream = Stream(marathon)
    stream.read_until(b"\r\n\r\nevent: event_stream_attached")
    Client(marathon.url).post("/v2/apps", APP)
    names, found = parsed(stream.read_through(b"event: deployment_success\r\n"))
    recorded_names, recorded = parsed((DATA / "sse" / "create-min.raw.txt").read_bytes())
    assert names == recorded_names
    refused = ("group_change_failed", "deployment_failed")  # the recorder tried other requests meanwhile
    assert sorted(_kind(one) for one in found) == sorted(
        _kind(one) for one in recorded if one["eventType"] not in refused
    )
    stream.close()


def _kind(event: dict[str, Any]) -> str:
    return f"{event['eventType']} {event.get('condition', '')}{event.get('taskStatus', '')}"


def examples(marathon: Marathon) -> dict[str, dict[str, Any]]:
    """One event of every type that was recorded, made by what made it there."""
    client = Client(marathon.url)
    stream = Stream(marathon)
    stream.read_until(b"event_stream_attached")
    client.post("/v2/apps", APP)
    marathon.hold("staging")
    client.post("/v2/apps", APP)
    client.put("/v2/apps//min", {"mem": 48})
    marathon.release()
    marathon.settle()
    check = {"protocol": "MESOS_TCP", "portIndex": 0, "gracePeriodSeconds": 60}
    late = {"simulate": "lateHealthy", "simulate_after": "4"}
    client.post("/v2/apps", APP | {"id": "/unhealthy", "healthChecks": [check], "labels": late})
    marathon.settle()
    marathon.advance(5)
    times = {"gracePeriodSeconds": 2, "intervalSeconds": 2, "timeoutSeconds": 1, "maxConsecutiveFailures": 2}
    outside = {"protocol": "HTTP", "path": "/x", "portIndex": 0, **times}
    client.post("/v2/apps", APP | {"id": "/httphc", "healthChecks": [outside]})
    for _ in range(3):
        marathon.settle()
        marathon.advance(2.1)
    until("the kill", lambda: marathon.events("unhealthy_instance_kill_event"))
    for path in ("/unhealthy", "/httphc"):
        client.delete(f"/v2/apps/{path}")
    marathon.settle()
    stream.close()
    until("the stream's end", lambda: _provoke_detachment(marathon))
    return {one["eventType"]: one for one in reversed(marathon.events())}


def _provoke_detachment(marathon: Marathon) -> bool:
    """That a listener is gone is noticed when something is written to it."""
    marathon.engine.events.publish("app_terminated_event", appId="/min")
    return bool(marathon.events("event_stream_detached"))


def test_every_recorded_type_of_event_is_made_with_the_same_keys(marathon: Marathon) -> None:
    ours = examples(marathon)
    assert set(EXAMPLES) <= set(ours)
    for kind, example in EXAMPLES.items():
        assert list(ours[kind]) == list(example["first"]), kind


@pytest.mark.parametrize("kind", ["deployment_info", "deployment_success", "status_update_event", "api_post_event"])
def test_events_of_a_first_deployment_have_the_recorded_values(marathon: Marathon, kind: str) -> None:
    Client(marathon.url).post("/v2/apps", APP)
    marathon.settle()
    own = marathon.events(kind)[0]
    if kind == "status_update_event":
        own["ports"] = EXAMPLES[kind]["first"]["ports"]
    assert list(compare(EXAMPLES[kind]["first"], own, Names())) == []


def test_a_filter_takes_repeated_types_and_hides_the_attachment(marathon: Marathon) -> None:
    stream = Stream(marathon, "?event_type=deployment_info&event_type=deployment_success")
    stream.read_until(b"\r\n\r\n")
    Client(marathon.url).post("/v2/apps", APP)
    raw = stream.read_until(b"event: deployment_success\r\n")
    assert set(re.findall(rb"event: (\w+)", raw)) == {b"deployment_info", b"deployment_success"}
    stream.close()


def test_an_idle_stream_gets_empty_lines(marathon: Marathon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "IDLE_SECONDS", 0.02)
    stream = Stream(marathon, "?event_type=none")
    assert stream.read_until(b"\r\n\r\n\r\n\r\n").endswith(b"\r\n\r\n\r\n\r\n")
    stream.close()


def test_a_refused_write_is_told_with_an_id_of_its_own(marathon: Marathon) -> None:
    client = Client(marathon.url)
    marathon.hold("staging")
    client.post("/v2/apps", APP)
    client.put("/v2/apps//min", {"mem": 48})
    (refused,) = marathon.events("deployment_failed")
    assert refused["reason"].startswith("App is locked by one or more deployments.")
    assert refused["id"] not in [one["id"] for one in marathon.deployments()]


def test_a_cancelled_deployment_is_told_as_failed(marathon: Marathon) -> None:
    client = Client(marathon.url)
    marathon.hold("staging")
    client.post("/v2/apps", APP)
    deployment = marathon.deployments()[0]["id"]
    client.delete(f"/v2/deployments/{deployment}?force=true")
    (failed,) = marathon.events("deployment_failed")
    assert (failed["id"], failed["reason"]) == (deployment, "The upgrade has been cancelled")
