"""One replica, moved on by hand: when it counts as ready."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchctl.core.service import Service
from orchctl_local.layout import Layout
from orchctl_local.model import Replica
from orchctl_local.replica import RUNNING_IS_READY_MS, Runner
from orchctl_local.supervisor_config import Program
from orchctl_local.supervisor_rpc import Seen

SEEN = Seen(ended=False, pid=0)


class _Supervisor:
    """Has started everything at once."""

    def want(self, program: Program) -> None: ...

    def stop(self, name: str) -> None: ...

    def remove(self, name: str) -> None: ...


def started(directory: Path) -> Runner:
    """Started at 0 by the clock of the test."""
    runner = Runner(
        layout=Layout(directory),
        service=Service(name="web", namespace="test", command=("/bin/true",)),
        secrets_dir="",
        state=Replica(number=1, slot=0, template_hash="t", generation="t-0"),
        supervisor=_Supervisor(),
        pool=ThreadPoolExecutor(1),
        taken=set(),
    )
    runner.advance(0, None)
    return runner


def is_ready(runner: Runner, now: int) -> bool:
    runner.advance(now, SEEN)
    return runner.state.ready


def test_a_process_is_ready_when_its_command_has_run_for_a_while(tmp_path: Path) -> None:
    runner = started(tmp_path)
    (runner.home / "launched").write_text("200")
    assert not is_ready(runner, 200 + RUNNING_IS_READY_MS - 1)
    assert is_ready(runner, 200 + RUNNING_IS_READY_MS)


def test_a_process_whose_command_has_not_begun_is_not_ready(tmp_path: Path) -> None:
    """Its launcher takes its time on a busy machine, and the command may turn out not to exist."""
    runner = started(tmp_path)
    assert not is_ready(runner, 10 * RUNNING_IS_READY_MS)
