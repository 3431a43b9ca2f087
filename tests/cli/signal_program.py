"""``python -m tests.cli.signal_program FD``: forks runs of the whole program, each in a process of its own.

Everything is imported once, so a run costs a fork and not an interpreter: two hundred of them fit into seconds. The
fake cluster stands in a file between the runs, as a real one outlives the processes that talk to it; the local backend
is the real one.

Requests come over the socket FD, one JSON object each, with the run's stdin, stdout, stderr and the two ends of its gate:
at the request that the run shall stop at it writes a byte into the first and goes on when one comes out of the second.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import pickle
import pkgutil
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orchctl.cli.views
import orchctl.engine
import orchctl.spec
import orchctl_local
from orchctl import boot
from orchctl.core import registry
from orchctl.core.backend import Backend
from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import FakeCluster
from tests.children import with_default_signals
from tests.cli import local_gates

_KEPT = ("definitions", "replicas", "entries")
_SENT = ("apply", "delete", "scale", "restart")
_NUMBERS_A_RUN = 10_000
_HASTE = 20
"""The cluster starts and stops its instances so much faster than a FakeCluster: nothing here is about them."""


@dataclass
class StoredCluster(FakeCluster):
    """Written to its file after each request; ``gate`` is called before each with its name (by default it is only measured).

    Its time stands from a change to the first look after it: however late that look is on a busy machine, it shows the
    beginning, and a run that is stopped there has something to wait for.
    """

    file: Path = Path()
    runs: int = 0
    gate: Callable[[str], object] = len
    _stands_at: float | None = None

    def request(self, name: str, carry_out: Callable[[], object] | None = None) -> None:
        self.gate(name)
        if name in _SENT:
            self._stands_at = self.time()
        try:
            super().request(name, carry_out)
        finally:
            self.save()
        if name == "poll":
            self._stands_at = None

    def time(self) -> float:
        return _HASTE * time.monotonic() if self._stands_at is None else self._stands_at

    def save(self) -> None:
        kept = {name: getattr(self, name) for name in _KEPT} | {"runs": self.runs}
        temporary = self.file.with_suffix(".new")
        temporary.write_bytes(pickle.dumps(kept))
        temporary.replace(self.file)


def stored(file: Path) -> StoredCluster:
    """The cluster as the run before left it; ids and versions of each run are new ones."""
    cluster = StoredCluster(now=lambda: cluster.time(), file=file)
    if file.exists():
        for name, value in pickle.loads(file.read_bytes()).items():
            setattr(cluster, name, value)
    cluster.runs += 1
    first = cluster.runs * _NUMBERS_A_RUN
    cluster._ids, cluster._versions = itertools.count(first), itertools.count(first)
    return cluster


def main() -> None:
    with_default_signals()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # both as an interpreter finds it in the foreground
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    import_all()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.sendall(b"\n")
        while message := socket.recv_fds(channel, 1 << 16, 5):
            text, fds, _, _ = message
            if not text:
                return
            channel.sendall(json.dumps(_answer(json.loads(text), fds, channel)).encode() + b"\n")


def import_all() -> None:
    """What verbs bring in when they are called."""
    for package in (orchctl.cli, orchctl.cli.views, orchctl.engine, orchctl.spec, orchctl_local):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    for name in ("platformdirs", "pydantic.main", "tomllib", "yaml"):
        importlib.import_module(name)


def _answer(request: dict[str, Any], fds: list[int], channel: socket.socket) -> int:
    """``run``: the pid of a new run; ``reap``: how it ended; ``stopped``: returns when it has been stopped."""
    if request["do"] == "run":
        pid = os.fork()
        if pid == 0:
            channel.close()
            _run(request, fds)
        for fd in fds:
            os.close(fd)
        return pid
    status = os.waitpid(request["pid"], os.WUNTRACED if request["do"] == "stopped" else 0)[1]
    return 0 if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)


def _run(request: dict[str, Any], fds: list[int]) -> None:
    os.setpgid(0, 0)  # a group of its own in this session, so that SIGTSTP is not for an orphan, and works
    *streams, reached, go = fds
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    # As an interpreter makes them: those of the process before know what their files were like.
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, errors="backslashreplace")
    os.chdir(request["directory"])
    os.environ.update(request["environment"])
    cluster = stored(Path(request["directory"]) / "cluster")
    cluster.gate = _gate(request["stop_at"], reached, go)
    local_gates.install(cluster.gate)
    load = registry.load

    def load_fake(name: str) -> Backend:
        return FakeBackend(cluster) if name == "fake" else load(name)

    registry.load = load_fake
    sys.argv = ["orchctl", *request["arguments"]]
    boot.main()


def _gate(stop_at: str, reached: int, go: int) -> Callable[[str], None]:
    """``apply 2``: at the second request whose name begins so."""
    name, _, number = stop_at.rpartition(" ")
    left = int(number or 0)

    def gate(request: str) -> None:
        nonlocal left
        if left and re.match(name, request):
            left -= 1
            if not left:
                _stand(reached, go)

    return gate


def _stand(reached: int, go: int) -> None:
    """At the gate. A byte more into ``reached`` for each signal whose handler has run."""
    caught, catch = os.pipe()
    os.set_blocking(catch, False)
    signal.set_wakeup_fd(catch)
    os.write(reached, b"!")
    while go not in (ready := select.select([go, caught], [], [])[0]):
        os.read(ready[0], 1)
        os.write(reached, b"!")
    signal.set_wakeup_fd(-1)


if __name__ == "__main__":
    main()
