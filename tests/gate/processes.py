"""Starts what the gate runs, some of it at the same time, and ends all of it when the gate is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from tests.rounds import PROFILE

Command = Sequence[str]

_MOST_SECONDS = 45 * 60 if PROFILE == "gate" else 12 * 3600
"""What takes longer hangs: no test may run longer than its own time-out."""
_LAST_WORDS_SECONDS = 5.0
_speaking = threading.Lock()


def say(text: str, label: str = "") -> None:
    """Whole lines, below each other whoever speaks."""
    before = f"{label:<11}| " if label else ""
    with _speaking:
        sys.stdout.writelines(f"{before}{line}\n" for line in text.split("\n"))
        sys.stdout.flush()


class Processes:
    """One for a gate. ``end`` may be called from another thread; nothing is started after it."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_over = False

    def status(self, command: Command, label: str = "", more: dict[str, str] | None = None) -> int:
        """Exit status of ``command`` with ``more`` in its environment. With a ``label`` its lines bear it; without one it writes
        to our own output. In a session of its own, so what a signal of the terminal ends is ended here, in order."""
        with self._changing:
            if self._is_over:
                return 1
            process = subprocess.Popen(
                command,
                env=os.environ | (more or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if label else None,
                stderr=subprocess.STDOUT if label else None,
                start_new_session=True,
                restore_signals=True,
            )
            self._running.add(process)
        speaker = threading.Thread(target=_repeat, args=(process, label), daemon=True)
        speaker.start()
        try:
            return process.wait(_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            return _end(process, signal.SIGTERM)
        finally:
            speaker.join(_LAST_WORDS_SECONDS)  # a server that was left running may hold the pipe open for ever
            self._running.discard(process)

    def end(self) -> None:
        with self._changing:
            self._is_over = True
        ending = [threading.Thread(target=_end, args=(one, signal.SIGINT)) for one in self._running.copy()]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()


def _repeat(process: subprocess.Popen[bytes], label: str) -> None:
    for line in process.stdout or ():
        say(line.decode("utf-8", "replace").rstrip("\r\n"), label)


def _end(process: subprocess.Popen[bytes], signum: signal.Signals) -> int:
    """First as a person would, so that servers are stopped; then with everything that it left in its session."""
    process.send_signal(signum)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait() or 1
