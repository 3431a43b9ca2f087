"""orchctl as a process of its own, killed at a chosen step.

The gate kills right after a few of the writes, when the world has changed and the command does not know yet; a soak at
steps spread over the whole command.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchctl.core.revision import RevisionStatus
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.world import World
from tests.rounds import KILLS, PROFILE


@dataclass(frozen=True)
class Shell:
    """Runs orchctl on the context ``here`` of ``config``, perhaps killed on the way."""

    spec: Path
    config: Path
    state_dir: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, greeting: str = "one", kill_at: int = -1) -> subprocess.CompletedProcess[str]:
        script = [sys.executable, str(Path(__file__).parent / "kill_at.py"), str(kill_at), *words]
        env = {
            **os.environ,
            **self.environ,
            "ORCHCTL_STATE_DIR": str(self.state_dir),
            "ORCHCTL_CONFIG": str(self.config),
            "GREETING": greeting,
        }
        return subprocess.run(
            [*script, "-n", "test", "--context", "here"],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def deploy(self, greeting: str, *, kill_at: int = -1) -> subprocess.CompletedProcess[str]:
        return self.run("deploy", "-f", str(self.spec), greeting=greeting, kill_at=kill_at)

    def steps_of(self, *words: str, greeting: str) -> str:
        """The steps of the command when nothing kills it; ``w`` is the moment right after a write."""
        done = self.run(*words, greeting=greeting, kill_at=0)
        assert done.returncode == 0, done.stderr
        return done.stderr.strip().split("\n")[-1]


def chosen(steps: str, offset: int) -> list[int]:
    """At which steps to kill, from 1; spread evenly, and moved by ``offset`` so that no two operations try the same ones."""
    numbers = [n for n, letter in enumerate(steps, 1) if letter == "w" or PROFILE == "soak"]
    assert len(numbers) >= KILLS
    stride = len(numbers) // KILLS
    return numbers[offset % stride :: stride]


class KillContract:
    """Killed at some of its steps, then the same command again. A test module brings ``shell``."""

    def test_a_killed_update_is_finished_by_the_same_command(self, shell: Shell, world: World) -> None:
        assert shell.deploy("zero").returncode == 0
        steps = shell.steps_of("deploy", "-f", str(shell.spec), greeting="one")
        assert len(steps) > 20
        for number, at in enumerate(chosen(steps, 5)):
            greeting = f"g{number}"
            killed = shell.deploy(greeting, kill_at=at)
            assert killed.returncode in (-9, 0), killed.stderr
            again = shell.deploy(greeting)
            assert again.returncode == 0, again.stderr
            assert greetings(world.truth("web")) == [greeting, greeting]
            history = Driver(world).history("web")
            numbers = [r.revision.number for r in history]
            assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))
            assert [r.status for r in history].count(RevisionStatus.DEPLOYED) == 1

    def test_a_killed_delete_is_finished_by_the_same_command(self, shell: Shell, world: World) -> None:
        assert shell.deploy("one").returncode == 0
        steps = shell.steps_of("delete", "web", "--yes", greeting="one")
        for at in chosen(steps, 2):
            assert shell.deploy("one").returncode == 0
            killed = shell.run("delete", "web", "--yes", kill_at=at)
            assert killed.returncode in (-9, 0), killed.stderr
            again = shell.run("delete", "web", "--yes")
            assert again.returncode in (0, 4), again.stderr
            assert world.truth("web").leftovers == ()
