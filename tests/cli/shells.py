"""bash, zsh and fish on a screen, with the committed completion scripts and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
import pytest

from orchctl.cli import names_cache
from tests.children import LONGEST_S, with_default_signals
from tests.servers.packages import Unavailable, need

ROOT = Path(__file__).parents[2]
SCRIPTS = {
    "bash": ROOT / "completions" / "orchctl.bash",
    "zsh": ROOT / "completions" / "_orchctl",
    "fish": ROOT / "completions" / "orchctl.fish",
}
_PROMPT = "READY> "
_ROWS, _COLUMNS = 80, 120
_CLEAR = "\x15"  # Ctrl-U: the whole line in zsh, up to the cursor in bash and fish

_ARGUMENTS = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}
_SETTINGS = {
    "bash": (
        "bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'; bind 'set completion-query-items 0'; "
        "bind 'set page-completions off'; PS1='{prompt}'; . {script}"
    ),
    "zsh": "unsetopt beep; LISTMAX=0; PROMPT='{prompt}'; . {script}",
    "fish": "function fish_prompt; echo -n '{prompt}'; end; set -g fish_autosuggestion_enabled 0; . {script}",
}


def must_have(shell: str) -> None:
    """Skips when the shell is not there and cannot be installed."""
    if shutil.which(shell):
        return
    if os.geteuid() != 0:
        pytest.skip(f"{shell} is not installed, and installing it needs root")
    try:
        need(shell)
    except Unavailable as reason:
        pytest.skip(str(reason))


class Shell:
    """A shell in ``home``, which is also its working directory; ``orchctl`` is whatever ``home/bin`` says."""

    def __init__(self, name: str, home: Path, *, script: Path | None = None, **environment: str) -> None:
        self._screen = pyte.Screen(_COLUMNS, _ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._text = ""
        own = {"HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8", "PATH": f"{home / 'bin'}:/usr/bin:/bin"}
        self._child = pexpect.spawn(
            shutil.which(name) or name,
            _ARGUMENTS[name],
            cwd=str(home),
            env=own | environment,
            dimensions=(_ROWS, _COLUMNS),
            preexec_fn=with_default_signals,
        )
        self._child.delaybeforesend = None  # the shells are waited for by what they print
        self._child.send(_SETTINGS[name].format(prompt=_PROMPT, script=script or SCRIPTS[name]) + "\r")
        self.until(lambda text: text.splitlines()[-1:] == [_PROMPT.rstrip()])

    @property
    def line(self) -> str:
        """What stands on the command line."""
        lines = [row for row in self._text.split("\n") if row.startswith(_PROMPT.rstrip())]
        return lines[-1].removeprefix(_PROMPT.rstrip()).strip() if lines else ""

    def type(self, text: str) -> None:
        """Keys, a TAB among them, on a clean line."""
        self._child.send(_CLEAR)
        self.until(lambda _: not self.line)
        self._child.send(text)

    def completes(self, typed: str, expected: str) -> None:
        """TAB behind ``typed`` makes it ``expected``."""
        self.type(typed + "\t")
        self.until(lambda _: self.line == expected.strip())

    def lists(self, typed: str, *words: str) -> str:
        """TAB behind ``typed`` shows all these words; returns what is on the screen."""
        self._child.send("\x0c")  # an empty screen, so that only this list is on it
        self.type(typed + "\t")
        return self.until(lambda text: any({*words} <= {*part.split()} for part in text.split("READY>")))

    def nothing_for(self, typed: str) -> None:
        """TAB behind ``typed`` changes nothing: the next key stands right behind it."""
        self.type(typed + "\t@")
        self.until(lambda _: self.line == f"{typed}@")

    def enter(self) -> None:
        """Runs what stands on the line; returns when the shell is back."""
        self._child.send("\r")
        self._child.send("echo do''ne\r")
        self.until(lambda text: "\ndone\n" in f"\n{text}\n")

    def until(self, condition: Callable[[str], bool]) -> str:
        """The screen once it fulfils the condition; fails when that takes too long."""
        deadline = time.monotonic() + LONGEST_S
        while not condition(self._text) and time.monotonic() < deadline:
            try:
                self._stream.feed(self._child.read_nonblocking(65536, timeout=0.2))
                self._text = self._read()
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
        assert condition(self._text), self._text
        return self._text

    def close(self) -> None:
        """At once: pexpect asks politely first, and sleeps after each word."""
        self._child.ptyproc.delayafterclose = 0
        self._child.kill(signal.SIGKILL)
        self._child.wait()
        self._child.close()

    def _read(self) -> str:
        return "\n".join(row.rstrip() for row in self._screen.display).rstrip()


def install(home: Path, program: str = "") -> None:
    """``orchctl`` on the path: the real one, or a shell script of these lines."""
    (home / "bin").mkdir(exist_ok=True)
    real = f'PYTHONPATH={ROOT}:{ROOT / "backends"} exec {sys.executable} -m orchctl "$@"'
    path = home / "bin" / "orchctl"
    path.write_text(f"#!/bin/sh\n{program or real}\n")
    path.chmod(0o755)


def cache(home: Path, services: str, contexts: str = "*\tlocal\tdefault\tlocal\n") -> None:
    """The cache files of a user with this home, as they stand."""
    directory = names_cache.cache_dir({"HOME": str(home)})
    for path, text in (
        (names_cache.contexts_path(directory, "/", {}), contexts),
        (names_cache.services_path(directory, "local"), services),
    ):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
