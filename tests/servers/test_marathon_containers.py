"""An image with a root file system runs in a container as far as a program notices."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.absence import absent
from tests.servers.marathon import Marathon, TrueTask
from tests.servers.marathon.client import Client
from tests.servers.marathon.containers import busybox
from tests.servers.packages import Unavailable
from tests.servers.waiting import until

pytestmark = pytest.mark.world_marathon

IMAGE = "busybox:1.36"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marathon]:
    try:
        image = busybox(tmp_path_factory.mktemp("images") / "busybox")
    except Unavailable as reason:
        absent("marathon", reason)
    with Marathon(images={IMAGE: image}) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(server: Marathon) -> Iterator[None]:
    yield
    for path in server.apps():
        Client(server.url).delete(f"/v2/apps/{path}")
    until("no task", lambda: not server.tasks())


def launched(server: Marathon, script: str, *, kind: str = "DOCKER", port: int = 8080, **flags: str) -> TrueTask:
    parameters = [{"key": key, "value": value} for key, value in flags.items()]
    docker: dict[str, Any] = {"image": IMAGE} | ({"parameters": parameters} if kind == "DOCKER" else {})
    container = {"type": kind, "docker": docker, "portMappings": [{"containerPort": port, "name": "http"}]}
    app = {"id": "/web", "mem": 32, "networks": [{"mode": "container/bridge"}], "container": container, "cmd": script}
    assert Client(server.url).post("/v2/apps", app | {"taskKillGracePeriodSeconds": 1}).status == 201
    server.wait_deployed()
    return server.tasks("/web")[0]


def said(task: TrueTask) -> str:
    out = Path(task.sandbox) / "stdout"
    return until("its output", lambda: out.read_text("utf-8"))


def fetched(task: TrueTask) -> str:
    with urllib.request.urlopen(f"http://{task.host}:{task.ports[0]}/", timeout=60) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("kind", ["DOCKER", "MESOS"])
def test_it_is_reached_through_its_hosts_port(server: Marathon, kind: str) -> None:
    task = launched(server, "mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www", kind=kind)
    assert until("an answer", lambda: fetched(task)) == "hello\n"


def test_a_program_on_loopback_is_not_reached(server: Marathon) -> None:
    script = "echo up; cd /tmp; exec httpd -f -p 127.0.0.1:8080"
    task = launched(server, script)
    assert said(task) == "up\n"
    with pytest.raises(OSError):
        fetched(task)


def test_files_and_processes_are_its_own(server: Marathon) -> None:
    """Its root is the image, its first process has number 1, and the host's files are not there."""
    outside = str(Path(__file__).resolve())
    script = f"ls {outside} 2>&1; echo $$; ls /proc | grep -c '^[0-9]'; pwd; exec sleep 100"
    task = launched(server, script, workdir="/srv")
    lines = until("its output", lambda: found if len(found := said(task).splitlines()) == 4 else [])
    assert "No such file" in lines[0]
    assert lines[1] == "1"
    assert int(lines[2]) <= 4
    assert lines[3] == "/srv"


def test_a_user_is_the_images(server: Marathon) -> None:
    assert said(launched(server, "id -u; exec sleep 100", user="web")).startswith("1000")


def test_an_end_has_its_status(server: Marathon) -> None:
    launched(server, "echo last words; exit 7")
    failure = until("a failure", lambda: Client(server.url).get("/v2/apps//web").body["app"].get("lastTaskFailure"))
    assert failure["message"] == "Container exited with status 7"


@pytest.mark.parametrize("init", ["true", "false"])
def test_a_stop_reaches_the_program_only_below_an_init(server: Marathon, init: str) -> None:
    """Process 1 that handles no SIGTERM does not notice it; it is killed when its grace is over."""
    task = launched(server, "echo up; exec sleep 100", init=init)
    assert said(task) == "up\n"
    before = len(server.events("status_update_event"))
    Client(server.url).post("/v2/tasks/delete", {"ids": [task.id]})
    (end,) = until(
        "its end", lambda: [e for e in server.events("status_update_event")[before:] if e["taskId"] == task.id]
    )
    assert (end["taskStatus"], "137" in end["message"]) == ("TASK_KILLED", init == "false")


def test_nothing_of_it_is_left(server: Marathon) -> None:
    task = launched(server, "sleep 1234 & exec sleep 1234")
    Client(server.url).delete("/v2/apps//web")
    until("no task", lambda: not server.tasks())
    assert not Path(f"/proc/{task.pid}").exists()
    left = [p for p in Path("/proc").iterdir() if p.name.isdigit() and b"sleep\x001234" in _command(p)]
    assert left == []
    assert task.sandbox not in Path("/proc/mounts").read_text("utf-8")


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_it_needs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match="root"):
        busybox(tmp_path / "image")
