"""orchctl as a process of its own, killed at a chosen step."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SHARE = int(os.environ.get("ORCHCTL_TEST_KILLS", "12"))
"""How many of the steps are tried, spread evenly and moved by the operation, so that no two try the same ones."""


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

    def steps_of(self, *words: str, greeting: str) -> int:
        """How many steps the command has when nothing kills it."""
        done = self.run(*words, greeting=greeting, kill_at=0)
        assert done.returncode == 0, done.stderr
        return int(done.stderr.strip().split("\n")[-1])


def chosen(steps: int, offset: int, share: int = SHARE) -> list[int]:
    stride = max(1, steps // share)
    return list(range(1 + offset % stride, steps + 1, stride))
