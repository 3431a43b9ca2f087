"""How long a command takes to answer, beside a bare interpreter."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.bench.measure import Row, pair, run

HELLO = str(Path(__file__).parents[2] / "specs" / "examples" / "hello.yaml")
GOALS = {"--version": "<= 1.5x", "--help": "<= 1.5x", "validate": "<= 20x", "status": "<= 10x"}


def rows() -> list[Row]:
    """Bare interpreter = the one that runs orchctl, with its site-packages."""
    orchctl = str(Path(sys.executable).parent / "orchctl")
    with tempfile.TemporaryDirectory() as state:
        env = {**os.environ, "ORCHCTL_STATE_DIR": state, "ORCHCTL_CONFIG": os.devnull}
        # With bytecode, as an installed package has it; the warm-up writes it.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env["PYTHONPYCACHEPREFIX"] = str(Path(state) / "bytecode")
        bare = partial(run, [sys.executable, "-c", "pass"], env)
        commands = {
            "--version": [orchctl, "--version"],
            "--help": [orchctl, "--help"],
            "validate": [orchctl, "validate", "-f", HELLO, "--backend", "local"],
            "status": [orchctl, "status", "--backend", "local"],
        }
        return [
            pair(name, partial(run, words, env), bare, peer_name="python -c pass", goal=GOALS[name])
            for name, words in commands.items()
        ]
