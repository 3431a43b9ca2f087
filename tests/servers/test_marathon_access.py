"""How clients reach our Marathon, and what they see when it freezes, dies, moves or hands over."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest
import trustme

from tests.servers.marathon import Marathon
from tests.servers.marathon.client import Client
from tests.servers.waiting import until

APP = {"id": "/web", "cmd": "sleep 100", "cpus": 0.1, "mem": 32}
ZERO = APP | {"instances": 0}


@pytest.fixture
def marathon() -> Iterator[Marathon]:
    with Marathon(processes=False) as server:
        yield server


@pytest.fixture
def cluster() -> Iterator[Marathon]:
    with Marathon(masters=2, processes=False) as servers:
        yield servers


def test_one_connection_carries_many_requests(marathon: Marathon) -> None:
    connection = Client(marathon.url).connection()
    connection.connect()
    socket = connection.sock
    for _ in range(3):
        connection.request("GET", "/v2/apps")
        assert connection.getresponse().read() == b'{"apps":[]}'
        assert connection.sock is socket
    connection.close()


def test_a_chunked_body_is_read(marathon: Marathon) -> None:
    connection = Client(marathon.url).connection()
    body = iter([b'{"id": "/web", "cmd": "sleep 100", ', b'"instances": 0}'])
    connection.request("POST", "/v2/apps", body, {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 201
    connection.close()


def test_a_base_path_is_part_of_every_url() -> None:
    with Marathon(processes=False, base_path="/service/marathon") as marathon:
        assert marathon.url.endswith("/service/marathon")
        assert Client(marathon.url).get("/v2/apps").status == 200
        assert Client(marathon.url.removesuffix("/service/marathon")).get("/v2/apps").status == 404


def test_a_token_is_demanded() -> None:
    with Marathon(processes=False, token="secret") as marathon:
        assert Client(marathon.url).get("/v2/apps").status == 401
        assert Client(marathon.url, {"Authorization": "token=wrong"}).get("/v2/apps").status == 401
        assert Client(marathon.url, {"Authorization": "token=secret"}).get("/v2/apps").status == 200


def test_refused_credentials_write_nothing() -> None:
    with Marathon(processes=False, credentials=("user", "pass")) as marathon:
        assert Client(marathon.url).post("/v2/apps", ZERO).status == 401
        assert marathon.apps() == {}
        given = "Basic " + base64.b64encode(b"user:pass").decode()
        assert Client(marathon.url, {"Authorization": given}).post("/v2/apps", ZERO).status == 201


def test_https_with_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = tmp_path / "certificate", tmp_path / "key"
    issued.cert_chain_pems[0].write_to_path(files[0])
    issued.private_key_pem.write_to_path(files[1])
    trust = ssl.create_default_context()
    with Marathon(processes=False, certificate=files) as marathon:
        with pytest.raises(ssl.SSLCertVerificationError):
            Client(marathon.url, trust=trust).get("/ping")
        authority.configure_trust(trust)
        assert marathon.url.startswith("https://")
        assert Client(marathon.url, trust=trust).get("/v2/apps").status == 200


def test_a_frozen_server_accepts_and_does_not_answer(marathon: Marathon) -> None:
    marathon.freeze()
    connection = Client(marathon.url).connection(seconds=0.2)
    connection.request("GET", "/ping")
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Client(marathon.url).get, "/ping")
        marathon.thaw()
        assert waiting.result(timeout=120).status == 200


def test_what_was_frozen_when_the_server_died_never_happens(marathon: Marathon) -> None:
    marathon.freeze()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Client(marathon.url).post, "/v2/apps", ZERO)
        until("the request", lambda: marathon.masters[0].listener.waiting)
        marathon.crash()
        with pytest.raises((OSError, HTTPException)):
            waiting.result(timeout=120)
    marathon.come_back()
    assert Client(marathon.url).get("/v2/apps//web").status == 404


def test_a_crashed_server_comes_back_with_its_state_and_goes_on(marathon: Marathon) -> None:
    client, url = Client(marathon.url), marathon.url
    marathon.hold("staging")
    client.post("/v2/apps", APP)
    marathon.settle()
    deployment = marathon.deployments()[0]["id"]
    marathon.crash()
    with pytest.raises(ConnectionRefusedError):
        client.get("/v2/apps")
    marathon.release()
    assert marathon.tasks("/web")[0].state == "TASK_STAGING"
    marathon.come_back()
    assert marathon.url == url
    assert [one["id"] for one in marathon.deployments()] == [deployment]
    marathon.wait_deployed()
    assert client.get("/v2/apps//web").body["app"]["tasksRunning"] == 1


def test_an_app_too_big_for_the_store_kills_the_leader(marathon: Marathon) -> None:
    client = Client(marathon.url)
    assert client.post("/v2/apps", ZERO | {"labels": {"blob": "x" * 900_000}}).status == 201
    with pytest.raises((OSError, HTTPException)):
        client.post("/v2/apps", ZERO | {"id": "/big", "labels": {"blob": "x" * 1_100_000}})
    until("its end", lambda: not marathon.masters[0].is_up)
    marathon.come_back()
    assert set(marathon.apps()) == {"/web"}


def test_a_standby_passes_requests_on_and_names_the_leader(cluster: Marathon) -> None:
    leader, standby = cluster.masters
    client = Client(standby.url)
    answer = client.post("/v2/apps", ZERO)
    assert answer.status == 201
    assert answer.headers["X-Marathon-Leader"] == leader.url
    assert client.get("/v2/leader").body == {"leader": leader.address}
    assert client.get("/v2/apps//nope").status == 404
    assert client.get("/ping").status == 200


def test_a_standby_sends_event_listeners_to_the_leader(cluster: Marathon) -> None:
    leader, standby = cluster.masters
    answer = Client(standby.url, {"Accept": "text/event-stream"}).get("/v2/events?event_type=deployment_info")
    assert answer.status == 302
    assert answer.headers["Location"] == f"{leader.url}/v2/events?event_type=deployment_info"


def test_without_a_leader_a_standby_answers_503(cluster: Marathon) -> None:
    cluster.leadership.elect(None)
    for url in cluster.urls:
        answer = Client(url).get("/v2/apps")
        assert (answer.status, "X-Marathon-Leader" in answer.headers) == (503, False)
        assert "Could not determine the current leader" in answer.text


def test_the_leadership_moves_with_its_state_and_drops_connections(cluster: Marathon) -> None:
    first, second = cluster.masters
    Client(first.url).post("/v2/apps", ZERO)
    events = Client(first.url, {"Accept": "text/event-stream"}).connection()
    events.request("GET", "/v2/events", headers={"Accept": "text/event-stream"})
    stream = events.getresponse()
    assert stream.readline() == b"event: event_stream_attached\r\n"
    cluster.abdicate()
    stream.read()  # ends
    assert cluster.leader is second
    assert Client(first.url).get("/v2/apps//web").headers["X-Marathon-Leader"] == second.url
    events.close()


def test_deleting_the_leader_ends_its_process_and_elects_the_other(cluster: Marathon) -> None:
    first, second = cluster.masters
    assert Client(first.url).delete("/v2/leader").body == {"message": "Leadership abdicated"}
    until("a new leader", lambda: cluster.leader is second and not first.is_up)
    with pytest.raises(ConnectionRefusedError):
        Client(first.url).get("/ping")
    assert Client(second.url).get("/v2/info").body["elected"] is True
    first.start()
    assert Client(first.url).get("/v2/leader").body == {"leader": second.address}


def test_a_server_whose_thread_failed_says_so_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    marathon = Marathon(processes=False)
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError("broken")

    monkeypatch.setattr(marathon.engine, "tick", fail)
    marathon.start()
    assert failed.wait(120)
    with pytest.raises(RuntimeError, match="stood still"):
        marathon.stop()
    assert not marathon.engine.root.exists()


def test_older_versions_differ_as_their_source_says() -> None:
    with Marathon(masters=2, processes=False, version="1.5.11") as cluster:
        leader, standby = cluster.masters
        assert Client(leader.url).get("/v2/nonsense").status == 404
        Client(leader.url).post("/v2/apps", APP)
        cluster.settle()
        assert "instance-" not in cluster.tasks("/web")[0].id
        events = Client(standby.url).connection()
        events.request("GET", "/v2/events", headers={"Accept": "text/event-stream"})
        assert events.getresponse().status == 200  # passed on, not redirected
        events.close()
