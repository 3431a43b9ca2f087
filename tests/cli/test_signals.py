"""192 signals over the fake backend: six kinds, at every phase of every verb that writes, in a terminal and without.

Whatever comes and whenever: the exit code says it, within five seconds; the terminal is as it was; nobody sees a
traceback; and the next deploy of the service is not kept waiting. A deploy's 96 on real processes are in
``test_signals_local``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import WEB
from tests.cli.runs import Run, Runs
from tests.cli.signal_cases import Case, Kind, deploy_cases, endure, kill
from tests.cli.signal_program import stored

pytestmark = pytest.mark.world_local  # real processes

SPEC = WEB.replace("min_ready: 0s", "min_ready: 10ms")
"""Holds a run at ``wait``: however late its first look is, that one cannot be the last (a busy machine, 2026-11)."""
CRASH = "backends: {fake: {behaviour: crash}}\n"
_LEASE = "default/web/lease"
DEPLOY = {
    "look": "live 1",
    "queue": "get 2",
    "lease": f"update {_LEASE} 1",
    "record": "create default/web/r 1",
    "apply": "apply 1",
    "wait": "poll 1",
    "rollback": "apply 2",
    "after": f"update {_LEASE} 2",
}
SENDS = {"scale": "scale 1", "restart": "restart 1", "rollback": "apply 1", "delete": "delete 1"}
LAST = {"delete": f"delete {_LEASE} 1"}
ARGUMENTS = {
    "deploy": ["deploy"],
    "scale": ["scale", "web=3"],
    "restart": ["restart", "web"],
    "rollback": ["rollback", "web", "--yes"],
    "delete": ["delete", "web", "--yes"],
}
IN_A_TERMINAL = ("scale", "rollback")


def _cases() -> Iterator[Case]:
    yield from deploy_cases(DEPLOY)
    for verb, send in SENDS.items():
        last = LAST.get(verb, f"update {_LEASE} 2")
        for phase, stop_at in {"look": "live 1", "apply": send, "wait": "poll 1", "after": last}.items():
            yield from (Case(verb, phase, stop_at, kind, verb in IN_A_TERMINAL) for kind in Kind)


CASES = list(_cases())


def test_there_are_as_many_as_promised() -> None:
    assert (len(CASES), len({*map(str, CASES)})) == (192, 192)


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    one = Runs()
    yield one
    one.close()


@pytest.fixture(scope="module")
def deployed(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose service is deployed, in its second revision."""
    directory = tmp_path_factory.mktemp("deployed")
    (directory / ".git").mkdir()
    (directory / ".orchctl.toml").write_text('default = "t"\n[contexts.t]\nbackend = "fake"\n')
    for greeting in ("zero", "one"):
        (directory / "orch.yaml").write_text(SPEC.replace('"one"', f'"{greeting}"'))
        first = runs.start(directory, "deploy")
        assert first.end() == 0, first.err
    return directory


@pytest.mark.parametrize("case", CASES, ids=str)
def test_signal(runs: Runs, deployed: Path, tmp_path: Path, case: Case) -> None:
    project = tmp_path / "project"
    shutil.copytree(deployed, project)
    (project / "orch.yaml").write_text(SPEC.replace('"one"', '"two"') + (CRASH if case.phase == "rollback" else ""))
    other = _other_deployer(runs, project) if case.phase == "queue" else None
    arguments = [*ARGUMENTS[case.verb], *case.output]
    endure(runs.start(project, *arguments, stop_at=case.stop_at, terminal=case.terminal), case, other)
    if other is not None:
        kill(other)
    elif case.kind is not Kind.TWICE:
        assert not _holder(project)
    _next_run_is_not_kept_waiting(runs, project)


def _other_deployer(runs: Runs, project: Path) -> Run:
    """One that lives and holds the lease."""
    other = runs.start(project, "restart", "web", stop_at="restart 1")
    other.reach()
    return other


def _holder(project: Path) -> str:
    lease = stored(project / "cluster").entries.get(_LEASE)
    return lease.meta.get("token", "") if lease else ""


def _next_run_is_not_kept_waiting(runs: Runs, project: Path) -> None:
    (project / "orch.yaml").write_text(SPEC.replace('"one"', '"three"'))
    after = runs.start(project, "deploy", "--no-wait", "--lock-timeout", "1s")
    assert after.end() == 0, after.err
    assert "waiting for" not in after.err
