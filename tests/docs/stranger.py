"""The first minutes of somebody who has never seen orchctl, at a real terminal: clone, demo, a service of their own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import pyte

from tests.children import LONGEST_S, with_default_signals

ROOT = Path(__file__).parents[2]
_CLONE = f"git clone -q {shlex.quote(str(ROOT))} orchctl && cd orchctl"
_PROMPT = re.compile(r"^\[(\d+)\]\$$")
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9])")


@dataclass(frozen=True, slots=True)
class Step:
    """What was typed, how it ended, what the terminal showed at the end and what was ever written to it."""

    command: str
    code: int
    screen: str
    written: str
    seconds: float


@dataclass
class Shell:
    """bash on a screen of 100 columns and 40 lines. The prompt shows the exit code of the command before."""

    directory: Path
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._screen = pyte.Screen(100, 40)
        self._stream = pyte.ByteStream(self._screen)
        self._raw = b""
        self._child = pexpect.spawn(
            "bash",
            ["--norc", "--noprofile", "-i"],
            cwd=str(self.directory),
            env=_environment(self.directory),
            dimensions=(40, 100),
            preexec_fn=with_default_signals,
        )
        self._until(self._is_at_prompt, LONGEST_S)

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._child.close(force=True)
        if kind is not None:  # processes of a walk that was cut short would outlive the test
            command = ["orchctl", "delete", "shop", "hello", "--yes", "-q"]
            environ = _environment(self.directory)
            subprocess.run(command, cwd=self.directory, env=environ, capture_output=True, timeout=60, check=False)

    def type(self, command: str, *, answer: tuple[str, str] | None = None, seconds: float = LONGEST_S) -> Step:
        """Type a command and wait for the next prompt. ``answer``: what to type once a question stands there."""
        self._screen.reset()
        self._raw = b""
        started = time.monotonic()
        self._child.sendline(command)
        if answer is not None:
            question, reply = answer
            self._until(lambda lines: lines[-1].endswith(question), seconds)
            self._child.sendline(reply)
        self._until(lambda lines: len(lines) > 1 and self._is_at_prompt(lines), seconds)
        *lines, prompt = self._lines()
        code = int(_PROMPT.match(prompt)[1])  # type: ignore[index]
        written = _ESCAPES.sub("", self._raw.decode(errors="replace")).replace("\r", "")
        self.steps.append(Step(command, code, "\n".join(lines), written, time.monotonic() - started))
        return self.steps[-1]

    def _lines(self) -> list[str]:
        lines = [line.rstrip() for line in self._screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines or [""]

    def _is_at_prompt(self, lines: list[str]) -> bool:
        return bool(_PROMPT.match(lines[-1]))

    def _until(self, condition: Callable[[list[str]], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition(self._lines()):
            assert time.monotonic() < deadline, "\n".join(self._lines())
            try:
                data = self._child.read_nonblocking(65536, timeout=0.2)
            except pexpect.TIMEOUT:
                continue
            self._raw += data
            self._stream.feed(data)


def _environment(directory: Path) -> dict[str, str]:
    """A person's terminal; the program is the clone's, on the interpreter and libraries that run us."""
    foreign = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PROMPT_COMMAND")
    kept = {k: v for k, v in os.environ.items() if k not in foreign and not k.startswith(("ORCHCTL_", "XDG_"))}
    clone = directory / "orchctl"
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{clone}{os.pathsep}{clone / 'backends'}",
        "HOME": str(directory),
        "ORCHCTL_STATE_DIR": str(directory / "state"),
        "ORCHCTL_DEMO_DIR": str(directory / "demo"),
        "PS1": "[$?]$ ",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }


def demo(directory: Path) -> list[Step]:
    """The clone and its demo."""
    with Shell(directory) as shell:
        shell.type(_CLONE)
        shell.type("sh docs/demo.sh local")
        return shell.steps


def walk(directory: Path) -> list[Step]:
    """The clone and a service of one's own. The typo is corrected from nothing but what the terminal shows."""
    with Shell(directory) as shell:
        shell.type(_CLONE)
        shell.type("mkdir ../mine && cd ../mine && git init -q && orchctl init shop")
        shell.type("sed -i 's/^replicas:/replica:/' orch.yaml")
        page = shell.type("orchctl deploy").screen
        shell.type(_correction(page))
        shell.type("orchctl deploy")
        shell.type("orchctl status")
        shell.type("orchctl delete shop", answer=("[y/N]", "y"))
        shell.type("orchctl status")
        return shell.steps


def _correction(page: str) -> str:
    """The command that does what the error page says: this file, this line, not that word but this one."""
    place = re.search(r"--> (\S+):(\d+):\d+", page)
    wrong = re.search(r"there is no field '(\w+)'", page)
    right = re.search(r"did you mean '(\w+)'\?", page)
    assert place, page
    assert wrong, page
    assert right, page
    return f"sed -i '{place[2]}s/{wrong[1]}/{right[1]}/' {place[1]}"
