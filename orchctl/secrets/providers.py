"""Who is asked for a secret's value: the environment, a file, a command."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchctl.core.files import read_bounded
from orchctl.core.service import SecretRef
from orchctl.errors import UsageError

if TYPE_CHECKING:
    import subprocess

_MAX_BYTES = 500_000  # Swarm's limit for a secret; the smallest of the backends
_COMMAND_TIMEOUT_S = 30
_TICK_S = 0.05
_KEPT_BYTES = 4096
_MOST_SAID = 200


def fetch(ref: SecretRef, path: str, environ: Mapping[str, str]) -> bytes:
    """The value, at most 500 kB; ``path`` is the place in the spec. UsageError when the provider does not answer; the
    message holds no value, and of a command that failed its name and the last line of what it said on stderr."""
    if ref.source == "env":
        value = environ.get(ref.name, "").encode("utf-8", "surrogateescape")
        if not value:
            raise UsageError(f"{path}: the environment variable {ref.name!r} for this secret is not set or empty")
        return _bounded(value, path)
    if ref.source == "file":
        try:
            return _bounded(read_bounded(Path(ref.name), _MAX_BYTES).rstrip(b"\n"), path)
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise UsageError(f"{path}: cannot read the secret file {ref.name!r}: {said}") from None
    return _bounded(_run(ref.name, path), path)


def _run(command: str, path: str) -> bytes:
    import subprocess  # as slow to import as the rest of this package; few specs need it

    name, until = _name_of(command), time.monotonic() + _COMMAND_TIMEOUT_S
    nothing, pipe, words = subprocess.DEVNULL, subprocess.PIPE, ["/bin/sh", "-c", command]
    with subprocess.Popen(words, stdin=nothing, stdout=pipe, stderr=pipe) as process:
        try:
            value, said = _output(process, until)
        except TimeoutError:
            process.kill()
            raise UsageError(f"{path}: the secret command {name!r} did not end within {_COMMAND_TIMEOUT_S} s") from None
        except BaseException:
            process.kill()
            raise
        if len(value) > _MAX_BYTES:
            process.kill()
            return value
    if process.returncode != 0:
        reason = _last_line(said, hidden=value)
        raise UsageError(f"{path}: the secret command {name!r} ended with exit code {process.returncode}{reason}")
    return value.rstrip(b"\n")


def _name_of(command: str) -> str:
    """The first word that is no assignment: the rest, and what is assigned, may be secret."""
    return next((w for w in command.split() if not re.match(r"\w+=", w)), "sh")


def _last_line(said: bytes, *, hidden: bytes) -> str:
    """``: permission denied``; "" when nothing was said. What the command had put out by then is not repeated."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    if not lines:
        return ""
    line, values = lines[-1].strip()[:_MOST_SAID], hidden.decode("utf-8", "replace").split()
    for value in sorted(values, key=len, reverse=True):
        line = line.replace(value, "***") if len(value) > 2 else line
    return f": {line}"


def _output(process: subprocess.Popen[bytes], until: float) -> tuple[bytes, bytes]:
    """All that it put out, or a little more than a secret may have, and the end of what it said on stderr. TimeoutError.

    It is over when the process has ended and stdout is closed; whoever it left behind may keep stderr open.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    out, err, value, said = process.stdout.fileno(), process.stderr.fileno(), b"", b""
    poll, opened = select.poll(), {out, err}
    for descriptor in opened:
        poll.register(descriptor, select.POLLIN)
    while True:
        has_ended = out not in opened and process.poll() is not None
        left = max(0.0, until - time.monotonic())
        wait_s = 0.0 if has_ended else left if out in opened else min(left, _TICK_S)
        ready = [descriptor for descriptor, _ in poll.poll(wait_s * 1000)]
        if has_ended and not (ready and left):
            return value, said
        if not left:
            raise TimeoutError
        for descriptor in ready:
            piece = os.read(descriptor, 1 << 16)
            if not piece:
                poll.unregister(descriptor)
                opened.remove(descriptor)
            elif descriptor == out:
                value += piece
            else:
                said = (said + piece)[-_KEPT_BYTES:]
        if len(value) > _MAX_BYTES or (has_ended and err not in opened):
            return value, said


def _bounded(value: bytes, path: str) -> bytes:
    if not value:
        raise UsageError(f"{path}: the secret is empty")
    if len(value) > _MAX_BYTES:
        raise UsageError(f"{path}: the secret is larger than {_MAX_BYTES} bytes")
    return value
