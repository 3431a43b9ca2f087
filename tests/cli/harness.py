"""The command line in process, over the fake cluster, with what its tests share."""

from __future__ import annotations

import getpass
import re
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchctl import boot
from orchctl.core.backend import Backend
from orchctl.testing.fake_cluster import FakeCluster
from orchctl.testing.virtual_time import VirtualClock

CONFIG = """\
default = "test"
[contexts.test]
backend = "fake"
[contexts.prod]
backend = "fake"
protected = true
namespace = "shop"
"""

CI_VARIABLES = (
    "GITHUB_ACTIONS",
    "GITHUB_OUTPUT",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_WORKSPACE",
    "GITLAB_CI",
    "CI_PROJECT_DIR",
)
"""What says which CI service runs us; the suite itself may run in one."""

WEB = """\
name: web
image: registry.example.com/web:1
replicas: 2
ports: [{name: http, port: 8080}]
env: {GREETING: "one"}
rollout: {min_ready: 0s, deadline: 60s}
"""


class LockedCluster(FakeCluster):
    """For commands that work on several services at once."""

    lock = threading.RLock()

    def request(self, name: str, carry_out: Callable[[], object] | None = None) -> None:
        with self.lock:
            super().request(name, carry_out)


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@dataclass
class CommandLine:
    """``cli("deploy", "web")`` runs one command; durations are shown as ``(T)`` and holders as ``ME``."""

    directory: Path
    cluster: FakeCluster
    time: VirtualClock
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    backends: dict[str, Callable[[], Backend]] = field(default_factory=dict)

    def __call__(self, *arguments: str) -> Result:
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["orchctl", *arguments])
        code = 0
        try:
            boot.main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = self.capsys.readouterr()
        return Result(code, self._stable(out), self._stable(err))

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text, "utf-8")
        return path

    def deploy(self, spec: str = WEB) -> None:
        """What a test starts from."""
        self.write("orch.yaml", spec)
        result = self("deploy", "-q")
        assert result.code == 0, result.err

    def _stable(self, text: str) -> str:
        text = re.sub(r"\((\d+ m )?\d+(\.\d)? s\)", "(T)", text)
        text = text.replace(f"{getpass.getuser()}@{socket.gethostname()}", "ME")
        return text.replace(str(self.directory), "DIR")
