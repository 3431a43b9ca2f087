"""The command line in process: a project directory, a context on the fake cluster, virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.cli import interruption
from orchctl.cli import session as cli_session
from orchctl.cli.interruption import StoppableClock
from orchctl.core import registry
from orchctl.core.backend import Backend
from orchctl.testing.fake import FakeBackend
from orchctl.testing.virtual_time import VirtualClock
from tests.cli.harness import CI_VARIABLES, CONFIG, CommandLine, LockedCluster


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    clock = VirtualClock()
    cluster = LockedCluster(now=clock.now)

    class Clock(StoppableClock):
        def now(self) -> float:
            return clock.now()

        def sleep(self, seconds: float) -> None:
            self.check()
            clock.sleep(seconds)

        def wall(self) -> str:
            return clock.wall()

    monkeypatch.setattr(cli_session, "SystemClock", Clock)
    monkeypatch.setattr(interruption, "StoppableClock", Clock)
    for name in ("NO_COLOR", "FORCE_COLOR", "CI", "ORCHCTL_CONTEXT", "ORCHCTL_CONFIG", *CI_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/config"))
    monkeypatch.setenv("ORCHCTL_STATE_DIR", str(tmp_path / "state"))
    project = tmp_path / "project"
    project.mkdir()
    (project / ".git").mkdir()
    (project / ".orchctl.toml").write_text(CONFIG)
    monkeypatch.chdir(project)
    line = CommandLine(project, cluster, clock, capsys, monkeypatch)
    load, known = registry.load, registry.known_names
    line.backends["fake"] = lambda: FakeBackend(cluster)

    def load_fake(name: str) -> Backend:
        return line.backends[name]() if name in line.backends else load(name)

    monkeypatch.setattr(registry, "load", load_fake)
    monkeypatch.setattr(registry, "known_names", lambda: tuple(sorted({*known(), *line.backends})))
    return line
