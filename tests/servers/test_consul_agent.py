"""The tests' own Consul: what the harness promises to those who use it."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from tests.servers.consul import build
from tests.servers.consul.agent import Consul
from tests.servers.consul.api import Api, ApiError
from tests.servers.consul.front import Answered, Front, answering, forwarding, lost_after, once
from tests.servers.packages import Unavailable


@pytest.mark.world_consul
def test_data_outlives_a_kill_and_ports_stay(own_consul: Consul) -> None:
    own_consul.api.put("/v1/kv/a", b"one")
    before, pid = dict(own_consul.ports), own_consul.pid
    own_consul.kill()
    assert own_consul.pid == 0
    with pytest.raises(OSError):
        own_consul.api.get("/v1/status/leader")
    own_consul.start()
    assert own_consul.api.value("a") == b"one"
    assert own_consul.ports == before
    assert own_consul.pid != pid


@pytest.mark.world_consul
def test_a_frozen_server_takes_connections_and_answers_after_it_is_thawed(own_consul: Consul) -> None:
    own_consul.freeze()
    with socket.create_connection(("127.0.0.1", own_consul.ports["http"]), timeout=60) as connection:
        connection.settimeout(0.2)
        connection.sendall(b"GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        own_consul.thaw()
        connection.settimeout(60)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.world_consul
def test_nothing_of_it_is_left(tmp_path: Path) -> None:
    with Consul() as consul:
        root, pid = consul.root, consul.pid
        assert root.exists()
    assert not root.exists()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.world_consul
def test_a_port_that_is_taken_at_the_first_start_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.servers.consul import agent

    free, asked = agent._free_ports, []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        def first_taken(names: tuple[str, ...]) -> dict[str, int]:
            asked.append(names)
            return free(names) | ({"http": taken.getsockname()[1]} if len(asked) == 1 else {})

        monkeypatch.setattr(agent, "_free_ports", first_taken)
        with Consul() as consul:
            assert consul.ports["http"] != taken.getsockname()[1]
    assert len(asked) == 2


@pytest.mark.world_consul
def test_grpc_is_open_only_when_asked_for() -> None:
    with Consul(grpc=True) as consul, socket.create_connection(("127.0.0.1", consul.ports["grpc"]), timeout=60):
        pass


@pytest.mark.world_consul
def test_a_token_may_do_what_its_rules_say(secured_consul: Consul) -> None:
    api = secured_consul.api_with(secured_consul.token_for('key_prefix "mine/" { policy = "write" }'))
    api.put("/v1/kv/mine/a", b"x")
    for path in ("/v1/kv/others/a", "/v1/kv/mine"):
        with pytest.raises(ApiError, match="lacks permission 'key:write'"):
            api.put(path, b"x")
    with pytest.raises(ApiError, match="anonymous token"):
        secured_consul.api_with("").get("/v1/kv/mine/a")


@pytest.mark.world_consul
def test_its_certificate_is_its_authoritys(secured_consul: Consul) -> None:
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        Api(secured_consul.url, secured_consul.token).get("/v1/status/leader")


@pytest.mark.world_consul
def test_a_front_counts_and_loses_answers(consul: Consul) -> None:
    with Front(forwarding(consul.api)) as front:
        api = Api(front.url)
        api.put("/v1/kv/front", b"1")
        assert api.value("front") == b"1"
        assert ([(a.method, a.path) for a in front.requests], front.writes) == (
            [("PUT", "/v1/kv/front"), ("GET", "/v1/kv/front")],
            1,
        )
        front.strike = once(lost_after, path="/v1/kv/front")
        with pytest.raises(OSError):
            api.put("/v1/kv/front", b"2")
        assert api.value("front") == b"2"
        front.strike = answering(Answered(429, b"slow down"))
        with pytest.raises(ApiError, match="429: slow down"):
            api.put("/v1/kv/front", b"3")
    assert consul.api.value("front") == b"2"


def test_without_a_toolchain_it_is_a_reason_to_skip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_words, **_options: None)
    with pytest.raises(Unavailable, match="no Go toolchain to build it with"):
        build._build(tmp_path / "consul")


def test_a_toolchain_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.8\n")
    old.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_words, **_options: str(old))
    with pytest.raises(Unavailable, match=r"not go1\.19\.8"):
        build._build(tmp_path / "consul")


def test_a_build_that_fails_shows_the_end_of_what_was_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "go"
    broken.write_text("#!/bin/sh\n[ $1 = env ] && echo go1.26.0 && exit\necho 'no such module' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_words, **_options: str(broken))
    with pytest.raises(RuntimeError, match="no such module"):
        build._build(tmp_path / "consul")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["go"]
