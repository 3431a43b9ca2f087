"""Runs of the whole program in processes of their own, stopped where a test wants, and sent signals."""

from __future__ import annotations

import json
import os
import pty
import selectors
import signal
import socket
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.children import LONGEST_S, limited

ROOT = Path(__file__).parents[2]
_FOREIGN = ("CI", "NO_COLOR", "FORCE_COLOR", "ORCHCTL_CONTEXT", "GITHUB_ACTIONS", "GITLAB_CI")


class Runs:
    """The process that forks the runs (``tests.cli.signal_program``)."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(LONGEST_S)
        environment = {k: v for k, v in os.environ.items() if k not in _FOREIGN}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
        environment |= {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        command = [sys.executable, "-m", "tests.cli.signal_program", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env=environment, cwd=ROOT, start_new_session=True
        )
        theirs.close()
        self._answers = self._channel.makefile("rb")
        assert self._answers.readline() == b"\n"
        self._living: list[Run] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: dict[str, Any], fds: list[int]) -> int:
        socket.send_fds(self._channel, [json.dumps(request).encode()], fds)
        answer: int = json.loads(self._answers.readline())
        return answer

    def start(self, directory: Path, *arguments: str, stop_at: str = "", terminal: bool = False) -> Run:
        """A run in ``directory``; with a terminal stderr and stdin are one, and stdout is a pipe to be read or closed."""
        run = Run(self, directory, [*arguments], stop_at, terminal=terminal)
        self._living = [*(r for r in self._living if r.code is None), run]
        return run

    def kill(self) -> None:
        """Every run that has not ended: a test that failed leaves some at their gates, and they would go on."""
        for run in self._living:
            if run.code is None:
                run.send(signal.SIGKILL)
                run.end()

    def close(self) -> None:
        self.kill()
        self._channel.close()
        self._answers.close()
        with limited(self._process):
            self._process.wait()


class Run:
    """One run. ``out`` and ``err`` are what it has written so far; ``modes_before`` and ``modes_after`` are those of
    its terminal, when it has one and somebody looks at it until the end."""

    def __init__(self, runs: Runs, directory: Path, arguments: list[str], stop_at: str, *, terminal: bool) -> None:
        self._runs = runs
        self._out, their_out = os.pipe()
        self._err, their_err = pty.openpty() if terminal else os.pipe()
        self.modes_before = self.modes_after = _modes(their_err)
        their_in = os.dup(their_err) if terminal else os.open(os.devnull, os.O_RDONLY)
        self._reached, their_reached = os.pipe()
        their_go, self._go = os.pipe()
        theirs = [their_in, their_out, their_err, their_reached, their_go]
        home = {
            "HOME": str(directory),
            "XDG_CONFIG_HOME": f"{directory}/config",
            "XDG_CACHE_HOME": f"{directory}/cache",
        }
        request = {
            "do": "run",
            "directory": str(directory),
            "arguments": arguments,
            "stop_at": stop_at,
            "environment": home | {"ORCHCTL_STATE_DIR": f"{directory}/state"},
        }
        self.pid = runs.ask(request, theirs)
        self._end = os.pidfd_open(self.pid)
        for fd in theirs:
            os.close(fd)
        self._open = {self._out, self._err}
        self._written = {self._out: bytearray(), self._err: bytearray()}
        self.code: int | None = None

    @property
    def out(self) -> str:
        return self._written[self._out].decode()

    @property
    def err(self) -> str:
        return self._written[self._err].decode()

    def reach(self) -> None:
        """Returns when it stands at its gate."""
        assert self._until(self._reached), f"it ended before: {self.err}"
        os.read(self._reached, 1)

    def answered(self) -> None:
        """Returns when it has dealt with a signal at its gate, or ended by it."""
        if self._until(self._reached):
            os.read(self._reached, 1)

    def go(self) -> None:
        """Lets it go on."""
        with suppress(BrokenPipeError):  # the signal has ended it
            os.write(self._go, b"!")

    def send(self, signum: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._end, signum)

    def stopped(self) -> None:
        """Returns when SIGTSTP has stopped it."""
        assert self._runs.ask({"do": "stopped", "pid": self.pid}, []) == 0

    def hang_up(self) -> None:
        """From now on nobody reads what it writes."""
        for fd in self._open:
            os.close(fd)
        self._open = set()

    def end(self) -> int:
        """How it ended, as a shell says it, when all that it wrote is read."""
        assert self._until(self._end)
        code = self._runs.ask({"do": "reap", "pid": self.pid}, [])
        self.code = 128 - code if code < 0 else code
        if self._err in self._open:
            self.modes_after = _modes(self._err)
        for fd in tuple(self._open):
            while self._take(fd):
                continue
        for fd in (self._end, self._reached, self._go, *self._open):
            os.close(fd)
        return self.code

    def _until(self, wanted: int) -> bool:
        """Reads what it writes until ``wanted`` can be read; False when it ends before."""
        deadline = time.monotonic() + LONGEST_S
        with selectors.DefaultSelector() as selector:
            for fd in {wanted, self._end, *self._open}:
                selector.register(fd, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in selector.select(left)}
                if {wanted, self._end} & ready:
                    return wanted in ready and (wanted == self._end or self._end not in ready)
                for fd in ready:
                    if not self._take(fd):
                        selector.unregister(fd)
        raise AssertionError(f"nothing came within {LONGEST_S} s: {self.err}")

    def _take(self, fd: int) -> bool:
        try:
            data = os.read(fd, 65536)
        except OSError:  # a terminal that nobody else has open
            data = b""
        self._written[fd] += data
        return bool(data)


def _modes(fd: int) -> list[Any]:
    """What both ends of a terminal tell of it; nothing of a pipe."""
    return termios.tcgetattr(fd) if os.isatty(fd) else []
