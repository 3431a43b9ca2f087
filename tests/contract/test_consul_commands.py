"""The commands that show and follow a real catalog, as their user runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.children import LONGEST_S, limited, with_default_signals
from tests.servers.consul.agent import Consul
from tests.servers.waiting import until
from tests.worlds.catalog import Entries

pytestmark = pytest.mark.world_consul


SPEC = """\
name: web
command: [sleep, "1000"]
ports: [{name: http, port: 8080}]
register: {name: NAME, tags: [blue]}
rollout: {min_ready: 0s}
stop: {grace: 1s, drain: 0s}
"""


class Commands:
    """The program itself, on real processes, in a directory of its own."""

    def __init__(self, consul: Consul, folder: Path, name: str) -> None:
        (folder / "orch.yaml").write_text(SPEC.replace("NAME", name))
        (folder / "config.toml").write_text(
            f'default = "here"\n[contexts.here]\nbackend = "local"\ncatalog = "main"\nregister_address = "instance"\n'
            f'cluster = "{name}"\n[catalogs.main]\nconsul = "{consul.url}"\ndns = "127.0.0.1:{consul.ports["dns"]}"\n'
        )
        state = str(folder / "state")
        self._environ = {**os.environ, "ORCHCTL_CONFIG": str(folder / "config.toml"), "ORCHCTL_STATE_DIR": state}
        self._folder = folder
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchctl", *words],
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=with_default_signals,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        """What a test that failed has left running."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def __call__(self, *words: str, code: int = 0) -> tuple[str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=LONGEST_S)
        assert process.returncode == code, (words, out, err)
        return out, err


@pytest.fixture
def commands(consul: Consul, tmp_path: Path) -> Iterator[Commands]:
    commands = Commands(consul, tmp_path, f"cli-{os.urandom(4).hex()}")
    yield commands
    commands.end()
    with suppress(AssertionError):
        commands("delete", "web", "--yes", "-q")


def test_the_commands_show_what_clients_find(commands: Commands, consul: Consul, tmp_path: Path) -> None:
    name = re.search(r"name: (cli-\w+)", (tmp_path / "orch.yaml").read_text())[1]  # type: ignore[index]
    said = commands("deploy")[1]
    assert "registered in Consul at" in said
    assert "only this machine reaches 127.0.0.1" in said
    out, err = commands("discover", name, "--from", "catalog", "-o", "wide")
    assert re.search(rf"{name} +http/tcp +127\.0\.0\.1:\d+ +yes +1 +web-1-1 .* {name} ", out), out
    assert f"clients ask DNS for {name}.service.consul or _{name}._tcp.service.consul" in err
    [item] = json.loads(commands("discover", name, "--from", "all", "-o", "json")[0])["items"]
    assert (item["backend"], item["context"], item["service"]) == ("consul", name, name)
    records = json.loads(commands("discover", name, "--dns", "-o", "json")[0])["items"]
    assert [(r["type"], r["data"]) for r in records if r["type"] == "A"] == [("A", "127.0.0.1")]
    assert [r["data"].split()[2] for r in records if r["type"] == "SRV"] == [str(item["port"])]
    assert re.search(rf"{name} +default +web +orchctl-{name}-", commands("consul", "ls")[0])
    assert commands("consul", "ls", "-n", "default") == commands("consul", "ls")
    assert commands("consul", "ls", "-n", "another")[0] == ""
    assert commands("sync")[1].splitlines()[-1].startswith("web: unchanged")
    commands("delete", "web", "--yes")
    assert commands("consul", "ls")[0] == ""


def test_a_watch_shows_a_change_at_once_and_ends_in_order(commands: Commands, tmp_path: Path) -> None:
    name = re.search(r"name: (cli-\w+)", (tmp_path / "orch.yaml").read_text())[1]  # type: ignore[index]
    watching = commands.start("discover", name, "--from", "catalog", "--watch", "-o", "jsonl")
    syncing = commands.start("sync", "--watch", "-o", "jsonl")
    assert watching.stdout
    commands("deploy")
    shown = (
        json.loads(line) for line in watching.stdout
    )  # ends when nothing comes for too long, and the watch is killed

    def instances(document: dict[str, Any]) -> set[str]:
        assert document["kind"] == "EndpointList"
        assert {e["service"] for e in document["items"]} <= {name}
        return {e["instance"] for e in document["items"] if e["ready"]}

    with limited(watching):
        assert next(d for d in shown if instances(d) == {"web-1-1"})
        commands("scale", "web=2")
        assert next(d for d in shown if instances(d) == {"web-1-1", "web-2-1"})
        commands("scale", "web=0", "--yes")
        assert next(d for d in shown if not d["items"]), "that nobody is left is told, too"
    for process, stop in ((watching, signal.SIGINT), (syncing, signal.SIGTERM)):
        process.send_signal(stop)
        _, err = process.communicate(timeout=LONGEST_S)
        assert process.returncode == 128 + stop
        assert "Traceback" not in err


def test_a_watching_sync_follows_what_happens_without_a_deploy(
    commands: Commands, consul: Consul, tmp_path: Path
) -> None:
    """An instance dies and another one takes its place: nobody deploys, and the catalog knows."""
    name = re.search(r"name: (cli-\w+)", (tmp_path / "orch.yaml").read_text())[1]  # type: ignore[index]
    commands("deploy")
    entries = Entries(consul.api)
    before = entries.passing(name)
    syncing = commands.start("sync", "--watch")
    [instance] = json.loads(commands("status", "-o", "json")[0])["items"][0]["instances"]
    victim = next(
        int(p.name)
        for p in Path("/proc").iterdir()
        if p.name.isdigit()
        and f"ORCHCTL_INSTANCE={instance['id']}".encode() in _environ(p)
        and str(tmp_path).encode() in _environ(p)
    )
    os.kill(victim, signal.SIGKILL)
    until("the new instance in the catalog", lambda: entries.passing(name) not in (before, []))
    syncing.send_signal(signal.SIGINT)
    _, err = syncing.communicate(timeout=LONGEST_S)
    assert syncing.returncode == 130
    assert "registered in Consul at" in err


def _environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
