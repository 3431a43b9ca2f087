"""Who is asked for a secret's value: the environment, a file, a command."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping
from pathlib import Path

from orchctl.core.files import read_bounded
from orchctl.core.service import SecretRef
from orchctl.errors import UsageError

_MAX_BYTES = 500_000  # Swarm's limit for a secret; the smallest of the backends
_COMMAND_TIMEOUT_S = 30


def fetch(ref: SecretRef, path: str, environ: Mapping[str, str]) -> bytes:
    """The value, at most 500 kB; ``path`` is the place in the spec. UsageError when the provider does not answer; the
    message holds neither a value nor a command's output."""
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

    until = time.monotonic() + _COMMAND_TIMEOUT_S
    nothing, words = subprocess.DEVNULL, ["/bin/sh", "-c", command]
    with subprocess.Popen(words, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing) as process:
        try:
            value = _output(process.stdout.fileno(), until) if process.stdout else b""
            if len(value) > _MAX_BYTES:
                process.kill()
                return value
            code = process.wait(max(0.0, until - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            process.kill()
            raise UsageError(f"{path}: the secret command did not end within {_COMMAND_TIMEOUT_S} s") from None
        except BaseException:
            process.kill()
            raise
    if code != 0:
        raise UsageError(f"{path}: the secret command ended with exit code {code}")
    return value.rstrip(b"\n")


def _output(descriptor: int, until: float) -> bytes:
    """All of it, or a little more than a secret may have; TimeoutError. Who is behind the command may keep it open."""
    value, poll = b"", select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(value) <= _MAX_BYTES:
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise TimeoutError
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            break
        value += piece
    return value


def _bounded(value: bytes, path: str) -> bytes:
    if not value:
        raise UsageError(f"{path}: the secret is empty")
    if len(value) > _MAX_BYTES:
        raise UsageError(f"{path}: the secret is larger than {_MAX_BYTES} bytes")
    return value
