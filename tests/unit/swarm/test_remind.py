"""Two tasks in one slot, as a real engine left them (20.10): seen, waited for, and told to the engine once more."""

from __future__ import annotations

import json
import socketserver
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from orchctl.core.backend import Connection
from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl.core.rollout import Handle, Progress
from orchctl.core.service import Rollout, Service
from orchctl.engine.verdict import Judge, State
from orchctl.errors import StalePlan
from orchctl_swarm.names import PAUSED
from orchctl_swarm.progress import Nodes, observe
from tests.servers.serving import served
from tests.unit.swarm import golden

SERVICE = Service(name="web", namespace="test", rollout=Rollout(min_ready_ms=300, deadline_ms=60_000))


def look(seen: Any) -> Progress:
    return observe(
        seen["service"], seen["tasks"], Nodes({n["ID"]: n["Description"]["Hostname"] for n in seen["nodes"]})
    )


def running(seen: Any) -> list[Any]:
    return [t for t in seen["tasks"] if t["DesiredState"] == "running"]


def slot_of_two(seen: Any) -> int:
    slots = [t["Slot"] for t in running(seen)]
    return next(slot for slot in slots if slots.count(slot) == 2)


def test_two_tasks_of_the_present_definition_in_one_slot_are_left_undone() -> None:
    seen = golden.read("doubled")
    found = look(seen)
    assert found.settled
    assert found.stalled == f"2 tasks in slot {slot_of_two(seen)}"


def test_where_both_serve_and_another_slot_has_none_the_count_alone_is_no_success() -> None:
    seen = golden.read("doubled")
    twice = slot_of_two(seen)
    seen["tasks"] = [t for t in seen["tasks"] if t["Slot"] == twice]
    judge = Judge(SERVICE, replicas=2)
    judge.look(look(seen), 0.0)
    verdict = judge.look(look(seen), 10.0)
    assert (verdict.state, verdict.waiting_for) == (State.GOING, f"2 tasks in slot {twice}")


@pytest.mark.parametrize("name", ["running", "updating", "completed", "first_crash_loop", "paused_crash"])
def test_one_task_to_a_slot_is_as_it_should_be(name: str) -> None:
    assert look(golden.read(name)).stalled == ""


@pytest.mark.parametrize("state", ["updating", "rollback_started", "paused", "rollback_paused"])
def test_an_engine_that_still_updates_or_has_paused_is_left_alone(state: str) -> None:
    """Told again, a paused update would go on."""
    seen = golden.read("doubled")
    seen["service"]["UpdateStatus"]["State"] = state
    assert look(seen).stalled == ""


def test_an_update_that_orchctl_paused_is_left_alone() -> None:
    seen = golden.read("doubled")
    seen["service"]["Spec"]["Labels"][PAUSED] = "true"
    assert look(seen).stalled == ""


def test_while_one_of_the_two_still_starts_it_is_too_early_since_the_engine_may_keep_that_one() -> None:
    seen = golden.read("doubled")
    running(seen)[0]["Status"]["State"] = running(seen)[1]["Status"]["State"] = "starting"
    assert look(seen).stalled == ""


def test_one_that_waits_for_its_restart_is_what_the_engine_would_stop() -> None:
    seen = golden.read("doubled")
    two = [t for t in running(seen) if t["Slot"] == slot_of_two(seen)]
    two[1]["DesiredState"] = two[1]["Status"]["State"] = "ready"
    assert look(seen).stalled


def test_what_is_told_to_stop_is_no_second_task() -> None:
    seen = golden.read("doubled")
    two = [t for t in running(seen) if t["Slot"] == slot_of_two(seen)]
    two[1]["DesiredState"] = "shutdown"
    assert look(seen).stalled == ""


@dataclass
class Swarm:
    """The engine's answers. ``stale``: so many writes find that the swarm itself has moved the version."""

    seen: Any
    stale: int = 0
    writes: list[tuple[Any, dict[str, str]]] = field(default_factory=list)

    def update(self, version: int, spec: Any, headers: dict[str, str]) -> tuple[int, Any]:
        """As swarmkit's updater: of several tasks in a slot it keeps one that is to run, when the definition is theirs."""
        if self.stale:
            self.stale -= 1
            self.seen["service"]["Version"]["Index"] += 1
        if version != self.seen["service"]["Version"]["Index"]:
            return 500, {"message": "rpc error: code = Unknown desc = update out of sequence"}
        self.writes.append((spec, headers))
        self.seen["service"] |= {"Spec": spec, "Version": {"Index": version + 1}}
        kept: set[int] = set()
        for task in running(self.seen):
            if task["Slot"] in kept:
                task["DesiredState"] = task["Status"]["State"] = "shutdown"
            kept.add(task["Slot"])
        return 200, {"Warnings": None}


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    swarm: Swarm


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        seen = self.server.swarm.seen
        answers = {"services": [seen["service"]], "tasks": seen["tasks"], "nodes": seen["nodes"], "networks": []}
        versions = {"ApiVersion": "1.41", "MinAPIVersion": "1.12"}
        self.answer(200, answers.get(urlsplit(self.path).path.rpartition("/")[2], versions))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        query = parse_qs(urlsplit(self.path).query)
        assert query["registryAuthFrom"] == ["spec"]
        self.answer(
            *self.server.swarm.update(int(query["version"][0]), body, {k.lower(): v for k, v in self.headers.items()})
        )

    def answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Quiet."""


class Free:
    """A fence without a lease."""

    def check(self) -> None:
        return


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[Swarm]:
    with Server(str(tmp_path / "e.sock"), Handler) as server, served(server):
        server.swarm = Swarm(golden.read("doubled"))
        yield server.swarm


@pytest.fixture
def connection(swarm: Swarm, tmp_path: Path) -> Iterator[Connection]:
    settings = {"host": f"unix://{tmp_path}/e.sock"}
    context = Context(name="swarm", backend="swarm", state_dir=tmp_path, settings=settings, namespace="test")
    with load("swarm").connect(context) as opened:
        yield opened


def remind(connection: Connection) -> Progress:
    handle = Handle(backend="swarm", namespace="test", service="web", template_hash="", replicas=2)
    seen = connection.reader.poll(handle)
    connection.writer(Free()).remind(handle, expect=seen.expect)
    return connection.reader.poll(handle)


def test_a_reminder_is_one_write_of_the_definition_as_it_stands(swarm: Swarm, connection: Connection) -> None:
    before = json.loads(json.dumps(swarm.seen["service"]["Spec"]))
    expect = connection.reader.live("test", ["web"])["web"].expect
    after = remind(connection)
    assert [spec for spec, _ in swarm.writes] == [before]
    assert after.stalled == ""
    assert sum(i.ready for i in after.instances) == 2
    assert after.expect == expect


@pytest.mark.parametrize(("template", "writes"), [("", 1), ("of-another-deployer", 0)])
def test_only_a_rollout_of_ours_is_paused(swarm: Swarm, connection: Connection, template: str, writes: int) -> None:
    swarm.seen["service"]["UpdateStatus"] = {"State": "updating"}
    swarm.seen["service"]["Spec"]["UpdateConfig"] = {"Parallelism": 1}
    ours = connection.reader.live("test", ["web"])["web"].template_hash
    handle = Handle(backend="swarm", namespace="test", service="web", template_hash=template or ours, replicas=2)
    connection.writer(Free()).pause(handle)
    assert len(swarm.writes) == writes


def test_a_version_that_the_swarm_moved_by_itself_is_read_again(swarm: Swarm, connection: Connection) -> None:
    swarm.stale = 2
    assert remind(connection).stalled == ""
    assert len(swarm.writes) == 1


def test_a_definition_that_somebody_changed_is_not_sent_again(swarm: Swarm, connection: Connection) -> None:
    handle = Handle(backend="swarm", namespace="test", service="web", template_hash="", replicas=2)
    expect = connection.reader.poll(handle).expect
    swarm.seen["service"]["Spec"]["Mode"]["Replicated"]["Replicas"] = 5
    with pytest.raises(StalePlan):
        connection.writer(Free()).remind(handle, expect=expect)
    assert swarm.writes == []
