"""Health checks: one look each, in threads, so that a slow service never holds up the keeper."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from orchctl.core.environment import expand
from orchctl.core.service import Probe, ProbeKind

_MOST_HEADER = 4096
# Until the first success a service is asked this often, whatever its interval: that time is start-up time.
EAGER_MS = 100


def look(probe: Probe, *, ports: Mapping[str, int], environment: Mapping[str, str], directory: Path) -> str:
    """ "" when the check passes, else one sentence why not. Takes at most the probe's time-out."""
    end = time.monotonic() + probe.timeout_ms / 1000
    try:
        if probe.kind is ProbeKind.EXEC:
            return _run(expand(probe.command, environment), end, environment, directory)
        with socket.create_connection(("127.0.0.1", ports[probe.port]), timeout=_left(end)) as connection:
            return _get(connection, probe.path or "/", end) if probe.kind is ProbeKind.HTTP else ""
    except TimeoutError:
        return f"{probe.kind.value} check: no answer in time"
    except OSError as error:
        return f"{probe.kind.value} check: {error.strerror or error}"


def _left(end: float) -> float:
    """Seconds until ``end``; TimeoutError when it has passed."""
    if (left := end - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def _get(connection: socket.socket, path: str, end: float) -> str:
    """Only the status line counts, and a server that drips bytes must not outlast the time-out."""
    port = connection.getpeername()[1]
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: orchctl\r\nConnection: close\r\n\r\n".encode()
    )
    answer = b""
    while b"\n" not in answer and len(answer) < _MOST_HEADER:
        connection.settimeout(_left(end))
        if not (part := connection.recv(_MOST_HEADER)):
            break
        answer += part
    words = answer.split(None, 2)
    if len(words) < 2 or not answer.startswith(b"HTTP/") or not words[1].isdigit():
        return "http check: the answer is not HTTP"
    return "" if 200 <= int(words[1]) < 400 else f"http check: status {int(words[1])} for {path}"


def _run(command: list[str], end: float, environment: Mapping[str, str], directory: Path) -> str:
    """Exit code 0 passes; at the time-out the whole process group goes."""
    child = subprocess.Popen(
        command,
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = child.wait(timeout=_left(end))
    except (subprocess.TimeoutExpired, TimeoutError):
        return "exec check: no answer in time"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return "" if code == 0 else f"exec check: exit code {code}"


@dataclass(slots=True)
class Check:
    """One probe of one process over time. ``good`` None = no answer yet; ``failures`` in a row."""

    probe: Probe
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    directory: Path
    good: bool | None = None
    failures: int = 0
    message: str = ""
    next_ms: int = 0
    pending: Future[str] | None = field(default=None, repr=False)

    def advance(self, now_ms: int, pool: ThreadPoolExecutor) -> None:
        """Take an answer that has come, and ask again when it is time."""
        if self.pending is not None:
            if not self.pending.done():
                return
            self._take(_answer(self.pending))
            self.pending = None
            interval = self.probe.interval_ms
            self.next_ms = now_ms + (interval if self.good is not None else min(interval, EAGER_MS))
        if now_ms >= self.next_ms:
            self.pending = pool.submit(
                look, self.probe, ports=self.ports, environment=self.environment, directory=self.directory
            )

    def rest_ms(self, now_ms: int) -> int:
        """How long there is nothing to do for it; 0 while an answer is awaited."""
        return 0 if self.pending is not None else max(0, self.next_ms - now_ms)

    def _take(self, message: str) -> None:
        self.message = message
        if not message:
            self.good, self.failures = True, 0
            return
        self.failures += 1
        if self.good is not None and self.failures >= self.probe.failures:
            self.good = False


def _answer(pending: Future[str]) -> str:
    """What cannot even be asked is a check that fails: the keeper of all services must not end with it."""
    error = pending.exception()
    return pending.result() if error is None else f"the check could not be made: {error}"
