"""One server process: its log, its end, and nothing of it left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.waiting import until

STOP_SECONDS = 20.0


class Adopted:
    """What ``Program`` needs of a Popen, for a process that is no child of ours."""

    def __init__(self, pid: int, mark: str) -> None:
        self.pid, self._mark = pid, mark.encode()
        self.returncode = 0

    def poll(self) -> int | None:
        return None if self._is_there() else self.returncode

    def send_signal(self, signum: int) -> None:
        if self._is_there():
            os.kill(self.pid, signum)

    def wait(self, timeout: float) -> int:
        try:
            until(f"the end of process {self.pid}", lambda: not self._is_there(), seconds=timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        return self.returncode

    def _is_there(self) -> bool:
        try:
            return self._mark in Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return False


class Program:
    """``command`` with its output in ``log``; started and stopped any number of times."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name, self.command, self.log = name, tuple(command), log
        self._process: subprocess.Popen[bytes] | Adopted | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def adopt(self, pid: int, mark: str) -> None:
        """One that another process started: only while its command line still has ``mark`` in it."""
        self._process = Adopted(pid, mark)

    def check(self) -> None:
        """RuntimeError with the end of its log when it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self._process.returncode}: {self.tail()}")

    def tail(self, lines: int = 5) -> str:
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """Return when it is gone; after 20 s it is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        for signal_ in (signum, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal_)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
                return

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """It neither answers nor ends, until ``thaw``."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGCONT)
