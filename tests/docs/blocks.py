"""The fenced blocks of Markdown pages, with what is said about running them.

A comment above a block says what becomes of it: ``<!-- run: WORLD -->``, ``<!-- not run: WHY -->`` or, for YAML,
``<!-- part of a spec -->``. Shell without a comment runs on plain processes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORLDS = ("kubernetes", "local", "marathon", "swarm")
"""Each has a test that runs the blocks of every page."""

_FENCE = re.compile(
    r"(?:<!-- (?P<note>[^>]+) -->\n)?^(?P<marks>```+)(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=marks)$", re.M | re.S
)

_CLEAN = "orchctl status --backend local -o name | xargs -r orchctl delete --backend local --yes -q"


@dataclass(frozen=True, slots=True)
class Block:
    """``number`` counts the blocks of a page. ``note`` is what the comment above says, or what goes without saying."""

    page: str
    number: int
    language: str
    text: str
    note: str

    @property
    def world(self) -> str:
        """Where it is run; "" for one that is not."""
        return self.note.removeprefix("run: ") if self.note.startswith("run: ") else ""

    @property
    def why(self) -> str:
        """Why it is not run."""
        return self.note.removeprefix("not run: ") if self.note.startswith("not run: ") else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def pages() -> list[str]:
    """Every page for people, README first."""
    found = [path for folder in ("docs", "specs") for path in (ROOT / folder).rglob("*.md")]
    return ["README.md", *sorted(str(path.relative_to(ROOT)) for path in found)]


def blocks_of(page: str) -> list[Block]:
    """In the order of the page."""
    text = (ROOT / page).read_text("utf-8")
    return [
        Block(page, number, m["language"], m["text"], m["note"] or ("run: local" if m["language"] == "sh" else ""))
        for number, m in enumerate(_FENCE.finditer(text), 1)
    ]


def blocks() -> list[Block]:
    return [block for page in pages() for block in blocks_of(page)]


def pages_of(world: str) -> list[str]:
    """The pages that have something to run there."""
    return [page for page in pages() if any(block.world == world for block in blocks_of(page))]


def run_page(page: str, world: str, directory: Path, environ: dict[str, str] | None = None) -> str:
    """Run the blocks of a page for one world, one after the other, in a directory of their own; what they printed."""
    directory.mkdir()
    (directory / ".git").mkdir()  # where the search for a configuration ends
    (directory / "specs").symlink_to(ROOT / "specs")
    script = "\n".join(block.text for block in blocks_of(page) if block.world == world)
    state = directory.with_name(f"{directory.name}-state")
    try:
        return run(script, cwd=directory, state=state, environ=environ)
    except AssertionError:  # the page ended half-way: processes of this machine would outlive the test
        run(_CLEAN, cwd=directory, state=state, environ=environ)
        raise


def run(script: str, *, cwd: Path, state: Path, environ: dict[str, str] | None = None) -> str:
    """Run ``script`` as a user would who has orchctl on the path; what it printed. Fails when a command fails."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ORCHCTL_STATE_DIR": str(state),
        "ORCHCTL_CONFIG": "",
        "ORCHCTL_CONTEXT": "",
        "XDG_CONFIG_HOME": str(state / "config"),
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
