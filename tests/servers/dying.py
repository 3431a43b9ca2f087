"""A process that owns what it makes, for tests of what is left when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.servers import ledger, leftovers

ROOT = Path(__file__).parents[2]
_SCRIPT = """
import signal, sys
from pathlib import Path
from tests.servers import ledger
ledger.own(Path(sys.argv[1]))
%s
print("ready", flush=True)
signal.pause()
"""


class Dying:
    """Runs ``made`` (Python; ``sys.argv[2:]`` are ``words``) with a ledger of its own in ``folder``; a context manager."""

    def __init__(self, folder: Path, made: str, *words: str | Path) -> None:
        command = [sys.executable, "-c", _SCRIPT % made, str(folder), *map(str, words)]
        environment = {name: value for name, value in os.environ.items() if name != ledger.MARK}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.pid = self._process.pid

    def wait(self) -> list[str]:
        """Until it has made everything; the words that it printed before."""
        assert self._process.stdout
        said: list[str] = []
        for line in self._process.stdout:
            if line == "ready\n":
                return said
            said += line.split()
        raise AssertionError(f"it ended with {self._process.wait(60)} after {said}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)

    def __enter__(self) -> Dying:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self._process.stdout
        self._process.stdout.close()


def is_running(pid: int | str) -> bool:
    return leftovers.look(int(pid)) is not None


def end(pid: int | str) -> None:
    if is_running(pid):
        os.kill(int(pid), signal.SIGKILL)
