"""Shapes of Mesos' own answers: agents of the master, sandboxes of an agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchctl.errors import AuthRefused, NotFound, OrchctlError, Unreachable
from orchctl_marathon.client import Reading
from orchctl_marathon.mesos import Mesos
from orchctl_marathon.target import Target
from tests.servers.marathon.front import Front
from tests.servers.marathon.messages import Response
from tests.unit.marathon.clients import refused_port
from tests.unit.marathon.mesos_server import MesosServer


@pytest.fixture
def server() -> Iterator[MesosServer]:
    with MesosServer() as server:
        yield server


def mesos(*urls: str) -> Mesos:
    return Mesos(Reading(Target(urls=("http://127.0.0.1:1",), source="test", mesos=urls)))


def executor(identity: str, folder: str, **tasks: list[dict[str, str]]) -> dict[str, Any]:
    return {"id": identity, "directory": folder, **tasks}


@pytest.mark.parametrize(
    ("state", "task", "folder"),
    [
        pytest.param(
            {"frameworks": [{"executors": [executor("t1", "/run/t1", tasks=[{"id": "t1"}])]}]},
            "t1",
            "/run/t1",
            id="an executor for one task has its name",
        ),
        pytest.param(
            {"frameworks": [{"executors": [executor("pod-1", "/run/pod", tasks=[{"id": "t1"}, {"id": "t2"}])]}]},
            "t2",
            "/run/pod",
            id="several tasks of one executor",
        ),
        pytest.param(
            {"frameworks": [{"executors": [executor("e", "/run/e", queued_tasks=[{"id": "t1"}])]}]},
            "t1",
            "/run/e",
            id="not started yet",
        ),
        pytest.param(
            {"frameworks": [{"completed_executors": [executor("e", "/old/e", completed_tasks=[{"id": "t1"}])]}]},
            "t1",
            "/old/e",
            id="over",
        ),
        pytest.param(
            {"frameworks": [], "completed_frameworks": [{"completed_executors": [executor("t1", "/older/t1")]}]},
            "t1",
            "/older/t1",
            id="of a framework that is over",
        ),
        pytest.param({"frameworks": [{"executors": [executor("e", "/run/e")]}]}, "t1", "", id="not there"),
        pytest.param({}, "t1", "", id="nothing"),
        pytest.param({"frameworks": "none", "completed_frameworks": [7, {"executors": {}}]}, "t1", "", id="no shape"),
    ],
)
def test_a_sandbox_is_found_in_every_place_that_an_agent_keeps_one(
    server: MesosServer, state: dict[str, Any], task: str, folder: str
) -> None:
    server.state = state
    (agent,) = mesos(server.url).agents("S0")
    assert agent.sandbox(task) == folder


def test_an_agent_is_asked_once(server: MesosServer) -> None:
    (agent,) = mesos(server.url).agents()
    assert [agent.sandbox("t"), agent.sandbox("u")] == ["/t", ""]
    assert [one.path for one in server.seen] == ["/slaves", "/state"]


def test_an_agent_is_where_its_pid_says(server: MesosServer) -> None:
    server.agents = [
        {"id": "S1", "pid": "slave(1)@127.0.0.9:1", "hostname": "elsewhere"},
        {"id": "S2", "pid": f"slave(2)@{server.url.partition('//')[2]}"},
        {"id": "S3"},
        {"id": "S4", "pid": "gone"},
        "not an agent",
    ]
    found = mesos(server.url)
    (agent,) = found.agents("S2")
    assert agent.sandbox("t") == "/t"
    assert len(found.agents()) == len(found.agents("unknown")) == 2


def test_without_agents_there_is_nobody_to_ask(server: MesosServer) -> None:
    server.agents = []
    assert mesos(server.url).agents() == []


def test_the_next_master_is_asked_when_one_does_not_answer(server: MesosServer) -> None:
    with Front() as broken:
        broken.strike = lambda _request: Response(503, is_bare=True)
        assert len(mesos(broken.url, server.url).agents()) == 1
        assert len(broken.seen) == 1


def test_when_none_answers_the_last_one_says_why() -> None:
    with Front() as broken:
        broken.strike = lambda _request: Response(200, b"<html>")
        with pytest.raises(Unreachable):
            mesos(broken.url).agents()


class TestWhoIsToBlame:
    """Errors of Mesos name the server that was asked, and are none of Marathon."""

    @pytest.fixture
    def broken(self) -> Iterator[Front]:
        with Front() as front:
            yield front

    def error_of(self, *urls: str) -> OrchctlError:
        with pytest.raises(OrchctlError) as caught:
            mesos(*urls).agents()
        assert "Marathon running" not in caught.value.hint
        assert "marathon" not in str(caught.value).lower()
        return caught.value

    def test_a_master_that_does_not_lead_says_so_and_the_next_is_asked(
        self, server: MesosServer, broken: Front
    ) -> None:
        """It sends to the leader without a scheme: that may be anywhere."""
        broken.strike = lambda _request: Response(307, headers={"Location": "//10.0.0.9:5050/master/slaves"})
        found = self.error_of(broken.url)
        assert isinstance(found, Unreachable)
        assert broken.url in str(found)
        assert "does not lead" in str(found)
        assert "all masters" in found.hint
        assert len(mesos(broken.url, server.url).agents()) == 1

    @pytest.mark.parametrize("status", [401, 403])
    def test_credentials_that_it_wants_are_not_marathons(self, broken: Front, status: int) -> None:
        broken.strike = lambda _request: Response(status)
        found = self.error_of(broken.url)
        assert isinstance(found, AuthRefused)
        assert str(found) == f"Mesos at {broken.url} wants credentials ({status})"
        assert "no credentials" in found.hint

    def test_one_that_is_away_is_named(self, server: MesosServer) -> None:
        nobody = refused_port()
        assert f"Mesos at {nobody}" in str(self.error_of(nobody))
        server.agents = [{"id": "S0", "pid": f"slave(1)@{nobody.partition('//')[2]}"}]
        (agent,) = mesos(server.url).agents()
        with pytest.raises(Unreachable, match=f"Mesos at {nobody}: ") as caught:
            agent.sandbox("t")
        assert "Mesos running" in caught.value.hint

    def test_another_server_at_its_address_is_told(self, broken: Front) -> None:
        for body in (b"<html>", b"[]", b""):
            broken.strike = lambda _request, body=body: Response(200, body)
            found = self.error_of(broken.url)
            assert "not what Mesos says there" in str(found)


def test_parts_of_a_file_are_counted_in_bytes(server: MesosServer) -> None:
    server.files["/t/stdout"] = "aé€".encode()
    (agent,) = mesos(server.url).agents()
    assert agent.size("/t/stdout") == 6
    assert agent.read("/t/stdout", 0, 6) == ("aé€", 6)
    assert agent.read("/t/stdout", 1, 5) == ("é€", 5)
    assert agent.read("/t/stdout", 0, 5) == ("aé", 3)
    assert agent.read("/t/stdout", 3, 2) == ("", 0)


def test_a_file_that_is_gone_is_not_found(server: MesosServer) -> None:
    (agent,) = mesos(server.url).agents()
    with pytest.raises(NotFound):
        agent.size("/t/stdout")
    with pytest.raises(NotFound):
        agent.read("/t/stdout", 0, 4)
