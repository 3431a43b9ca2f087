"""96 signals over the local backend, on real processes under the real keeper: six kinds, at every phase of a deploy.

Together with a deploy's 96 over the fake (``test_signals``) they are the 192 of 8 phases, 6 signals, with a terminal
and without; 32 of the cases here are enough for a gate (``_is_for_a_soak``). All cases of a worker deploy one service, one
after the other, and each leaves it as it was found: deployed, with nobody at work on it. When one fails, what it had is
killed, and the next one begins afresh.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from orchctl.testing.contract.deploy import greetings
from orchctl_local.layout import Layout
from orchctl_local.store import FileStore
from tests.cli import test_signals
from tests.cli.runs import Run, Runs
from tests.cli.signal_cases import Case, Kind, deploy_cases, endure, kill
from tests.worlds.local import NAMESPACE, LocalWorld

pytestmark = pytest.mark.world_local

CONFIG = f'default = "here"\n[contexts.here]\nbackend = "local"\nnamespace = "{NAMESPACE}"\n'
SPEC = """\
name: web
replicas: 2
command: {command}
env: {{GREETING: "{greeting}"}}
rollout: {{max_surge: 100%, min_ready: 10ms, deadline: 3m}}
stop: {{grace: 2s, drain: 0s}}
"""
"""``min_ready`` holds the run at ``wait``: however late its first look is, that one cannot be the last."""
RUNS = [str(shutil.which("sleep")), "3600"]
CRASHES = [str(shutil.which("false"))]
_LEASE = f"{NAMESPACE}/web/lease"
_WRITE_LEASE = f"write store/{NAMESPACE}_web_lease"
_WRITE_DEFINITION = f"write {NAMESPACE}/web.json"
DEPLOY = {
    "look": "live 1",
    "queue": f"get {_LEASE} 2",
    "lease": f"{_WRITE_LEASE} 1",
    "record": f"write store/{NAMESPACE}_web_r_ 1",
    "apply": f"{_WRITE_DEFINITION} 1",
    "wait": "poll 1",
    "rollback": f"{_WRITE_DEFINITION} 2",
    "after": f"{_WRITE_LEASE} 2",
}
HALF_WRITTEN = ("lease", "record", "apply", "rollback", "after")
"""Phases in which the run holds the context's lock and has written a file that is not in its place."""
CASES = list(deploy_cases(DEPLOY))
ENDS = (Kind.INT, Kind.TERM, Kind.HUP)
"""One handler serves them, and all it has of its own is the number in the exit code."""


def _is_for_a_soak(case: Case) -> bool:
    """A gate has every combination over the fake. Here it has at each phase one of ``ENDS`` and each of the other kinds,
    by turns in a terminal and without."""
    phase, kind = list(DEPLOY).index(case.phase), list(Kind).index(case.kind)
    is_anothers_turn = case.kind in ENDS and case.kind is not ENDS[phase % len(ENDS)]
    return is_anothers_turn or case.terminal != bool((phase + kind) % 2)


def _parameters() -> Iterator[ParameterSet]:
    for case in CASES:
        yield pytest.param(case, id=str(case), marks=[pytest.mark.soak] if _is_for_a_soak(case) else [])


def test_there_are_as_many_as_promised() -> None:
    on_fake = [case for case in test_signals.CASES if case.verb == "deploy"]
    assert {case.phase for case in on_fake} == DEPLOY.keys()
    assert len({*map(str, CASES)}) + len({*map(str, on_fake)}) == 192


def test_a_gate_has_every_phase_with_every_kind_of_end() -> None:
    met = [case for case in CASES if not _is_for_a_soak(case)]
    assert len(met) == 32
    assert {case.terminal for case in met if case.kind in ENDS} == {True, False}
    kinds = {(case.phase, None if case.kind in ENDS else case.kind) for case in met}
    assert kinds == set(itertools.product(DEPLOY, (None, Kind.PIPE, Kind.STOP, Kind.TWICE)))


class Project:
    """A directory with a spec, and the world that its context is."""

    def __init__(self, runs: Runs, directory: Path) -> None:
        self.directory = directory
        self.world = LocalWorld(directory / "state")
        self._runs = runs
        self._greetings = (f"number {number}" for number in itertools.count())
        (directory / ".git").mkdir()
        (directory / ".orchctl.toml").write_text(CONFIG)

    def write(self, command: list[str] = RUNS) -> str:
        """A spec unlike all before; returns its greeting."""
        greeting = next(self._greetings)
        text = SPEC.format(command=json.dumps(command), greeting=greeting)
        (self.directory / "orch.yaml").write_text(text)
        return greeting

    def start(self, *arguments: str, stop_at: str = "", terminal: bool = False) -> Run:
        return self._runs.start(self.directory, *arguments, stop_at=stop_at, terminal=terminal)

    def deploy(self) -> str:
        """A new version, by a run that nobody disturbs and that waits for nobody; returns its greeting."""
        greeting = self.write()
        run = self.start("deploy", "--lock-timeout", "1s")
        assert run.end() == 0, run.err
        assert "waiting for" not in run.err
        assert greetings(self.world.truth("web")) == [greeting] * 2
        return greeting

    def delete(self) -> None:
        """By the verb: nothing is left of the context."""
        run = self.start("delete", "web", "--yes")
        assert run.end() == 0, run.err
        assert not self.world.root.exists()

    def holder(self) -> str:
        lease = FileStore(Layout(self.world.root)).get(_LEASE)
        assert lease is not None
        return lease.meta["token"]

    def left_by(self, run: Run) -> list[Path]:
        """Half-written files; their names begin with the writer's pid."""
        return [*(self.world.root / "tmp").glob(f"{run.pid}-*")]


class Projects:
    """One for all cases, until one of them fails."""

    def __init__(self, runs: Runs, directory: Path) -> None:
        self._runs = runs
        self._directory = directory
        self._numbers = itertools.count()
        self._project: Project | None = None

    @contextmanager
    def one(self) -> Iterator[Project]:
        """Deployed, and nobody at work on it."""
        project, self._project = self._project, None
        if project is None:
            directory = self._directory / str(next(self._numbers))
            directory.mkdir()
            project = Project(self._runs, directory)
        try:
            if not project.world.root.exists():
                project.deploy()
            yield project
        except BaseException:
            self._runs.kill()
            project.world.clean()
            raise
        self._project = project

    def close(self) -> None:
        if self._project is not None:
            with self.one() as project:
                project.delete()
                project.world.wait(lambda: not _processes(self._directory))


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    if sys.platform != "linux":
        pytest.skip("the truth about processes is read from /proc")
    runs = Runs()
    try:
        found = Projects(runs, tmp_path_factory.mktemp("local"))
        yield found
        found.close()
    finally:
        runs.close()


@pytest.mark.parametrize("case", [*_parameters()])
def test_signal(projects: Projects, case: Case) -> None:
    with projects.one() as project:
        before = greetings(project.world.truth("web"))
        other = _other_deployer(project) if case.phase == "queue" else None
        greeting = project.write(CRASHES if case.phase == "rollback" else RUNS)
        run = project.start("deploy", *case.output, stop_at=case.stop_at, terminal=case.terminal)
        endure(run, case, other)
        is_cut_off = case.kind is Kind.TWICE
        assert len(project.left_by(run)) == (is_cut_off and case.phase in HALF_WRITTEN)
        if other is not None:
            kill(other)
        elif not is_cut_off:
            assert not project.holder()
        if case.kind in (Kind.STOP, Kind.PIPE):  # it went on to its end
            running = before if case.phase == "rollback" else [greeting] * 2
            assert greetings(project.world.truth("web")) == running
        project.deploy()


def _other_deployer(project: Project) -> Run:
    """One that lives and holds the lease."""
    other = project.start("restart", "web", stop_at="restart 1")
    other.reach()
    return other


def _processes(directory: Path) -> list[str]:
    """Every living process that works below ``directory`` or was given something there by its environment."""
    return [process.name for process in Path("/proc").glob("[0-9]*") if _is_below(process, directory)]


def _is_below(process: Path, directory: Path) -> bool:
    try:
        return (
            os.readlink(process / "cwd").startswith(f"{directory}/")
            or f"={directory}/".encode() in (process / "environ").read_bytes()
        )
    except OSError:  # it has ended
        return False
