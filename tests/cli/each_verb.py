"""``python -m tests.cli.each_verb REQUEST ANSWER``: many commands under the interpreter's one environment, each in a fork of it.

The environment decides at the start of an interpreter what its streams can say, so it must be a real one. REQUEST is a JSON file:
the commands, and how many columns the terminal has (0: pipes). ANSWER gets exit code and output of each.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import sys
import termios
from pathlib import Path

from orchctl import boot
from orchctl.core import registry
from orchctl.core.backend import Backend
from orchctl.testing.fake import FakeBackend
from tests.cli.signal_program import import_all, stored


def main() -> None:
    import_all()
    request = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    answers = {name: _run(words, request["columns"]) for name, words in request["commands"].items()}
    Path(sys.argv[2]).write_text(json.dumps(answers), "utf-8")


def _run(words: list[str], columns: int) -> tuple[int, str]:
    """Exit code, and both streams as one text; bytes that are no UTF-8 as latin-1."""
    read, write = pty.openpty() if columns else os.pipe()
    if columns:
        fcntl.ioctl(write, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    pid = os.fork()
    if pid == 0:
        os.close(read)
        for fd in (1, 2):
            os.dup2(write, fd)
        _become(words)
    os.close(write)
    said = _all_of(read)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def _become(words: list[str]) -> None:
    cluster = stored(Path("cluster").absolute())
    load, known = registry.load, registry.known_names

    def load_fake(name: str) -> Backend:
        return FakeBackend(cluster) if name == "fake" else load(name)

    registry.load = load_fake
    registry.known_names = lambda: (*known(), "fake")
    # As the system hands them over: arguments are bytes, whatever the locale makes of them.
    sys.argv = ["orchctl", *(os.fsdecode(word.encode("utf-8")) for word in words)]
    boot.main()
    sys.stdout.flush()
    os._exit(0)


def _all_of(fd: int) -> str:
    data = b""
    while True:
        try:
            more = os.read(fd, 65536)
        except OSError:  # a terminal that its program has closed
            more = b""
        if not more:
            os.close(fd)
            break
        data += more
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return data.decode("latin-1").replace("\r\n", "\n")


if __name__ == "__main__":
    main()
