"""Shell blocks of Markdown pages, with what is said about running them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/how-it-works.md", "docs/backends.md")
_BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]+) -->\n)?```sh\n(?P<text>.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """``world``: local, swarm, or "" for a block that is not run (``why`` says why)."""

    page: str
    number: int
    text: str
    world: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        for number, match in enumerate(_BLOCK.finditer((ROOT / page).read_text("utf-8"))):
            note = match["note"] or "run: local"
            kind, _, rest = note.partition(": ")
            found.append(
                Block(page, number, match["text"], rest if kind == "run" else "", "" if kind == "run" else rest)
            )
    return found


def run(script: str, *, cwd: Path, state: Path, environ: dict[str, str] | None = None) -> str:
    """Run ``script`` as a user would who has orchctl on the path; what it printed. Fails when a command fails."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ORCHCTL_STATE_DIR": str(state),
        "ORCHCTL_CONFIG": os.devnull,
        "NO_COLOR": "1",
        **(environ or {}),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout
