"""Secrets that orchctl fetches itself: from a variable, a file or a command, at deploy time.

The value goes to the backend and nowhere else. What may be recorded is a fingerprint keyed with a
random key of this installation (``ORCHCTL_FINGERPRINT_KEY`` shares one between CI machines), so that a
rotated value changes the template and nobody can test guesses against a record.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import select
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchctl.core.backend import Secrets
from orchctl.core.files import create_file, read_bounded
from orchctl.core.secret import Secret
from orchctl.core.service import File, SecretRef, Service
from orchctl.errors import UsageError

_MAX_BYTES = 500_000  # Swarm's limit for a secret; the smallest of the backends
_COMMAND_TIMEOUT_S = 30
_SHORTEST_KEY = 16
_SHORTEST_LINE = 6
_SHORTEST_HIDDEN = 3  # a shorter one tells nothing that a guess would not, and stands in every sentence


def references(service: Service) -> list[tuple[str, SecretRef]]:
    """Every (path in the spec, reference)."""
    found = [(f"env.{k}", v) for k, v in service.env.items() if isinstance(v, SecretRef)]
    return found + [(f"files[{p}]", f.secret) for p, f in service.files.items() if f.secret is not None]


def resolve(
    service: Service, *, environ: Mapping[str, str], state_dir: Path, held: Collection[SecretRef] = ()
) -> tuple[Service, Secrets]:
    """Fetch every provider secret; returns the service with versions filled, and the values.

    ``held``: versions that the backend has the value of. They stay as they are and nobody is asked: who goes back to a
    revision goes back to its secrets, not to what the provider says today. UsageError when a provider does not answer;
    the message never holds a value or a command's output.
    """
    values: dict[SecretRef, Secret] = {}
    versions: dict[SecretRef, SecretRef] = {replace(ref, version=""): ref for ref in held}
    for path, ref in references(service):
        if ref.source and replace(ref, version="") not in versions:
            bare = replace(ref, version="")
            value = _fetch(bare, path, environ)
            versions[bare] = replace(bare, version=_fingerprint(value, _key(environ, state_dir)))
            values[versions[bare]] = Secret(value)
    if not versions:
        return service, values

    def filled(ref: SecretRef) -> SecretRef:
        return versions.get(replace(ref, version=""), ref)

    env = {k: filled(v) if isinstance(v, SecretRef) else v for k, v in service.env.items()}
    files: dict[str, File] = {
        p: replace(f, secret=filled(f.secret)) if f.secret else f for p, f in service.files.items()
    }
    return replace(service, env=env, files=files), values


class Unrepeated:
    """What is raised inside repeats no value: backends quote what they refuse, and some quote it encoded."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        values = [value.reveal() for value in self._secrets.values()]
        forms = sorted({form for value in values for form in _forms(value)}, key=len, reverse=True)
        link: BaseException | None = error
        while link is not None and forms:
            _hide(link, forms)
            link = link.__cause__ or link.__context__


def _forms(value: bytes) -> list[str]:
    """As it is, as encoders write it, and line by line: a key is told by one of its lines already."""
    text = value.decode("utf-8", "surrogateescape")
    forms = [text, base64.b64encode(value).decode(), json.dumps(text)[1:-1], repr(text)[1:-1], repr(value)[2:-1]]
    lines = [line for line in text.splitlines() if len(line) >= _SHORTEST_LINE]
    return [form for form in forms if len(form) >= _SHORTEST_HIDDEN] + lines


def _hide(error: BaseException, forms: Sequence[str]) -> None:
    """In everything that could be printed of it."""

    def hidden(value: Any) -> Any:
        if isinstance(value, str):
            for form in forms:
                value = value.replace(form, "***")
        return value

    error.args = tuple(map(hidden, error.args))
    for name, value in list(vars(error).items()):
        setattr(error, name, hidden(value))


def _fetch(ref: SecretRef, path: str, environ: Mapping[str, str]) -> bytes:
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


def _fingerprint(value: bytes, key: bytes) -> str:
    return hmac.new(key, value, hashlib.sha256).hexdigest()[:12]


def _key(environ: Mapping[str, str], state_dir: Path) -> bytes:
    if given := environ.get("ORCHCTL_FINGERPRINT_KEY"):
        return given.encode("utf-8")
    path = state_dir / "fingerprint.key"
    try:
        if not path.exists():
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                create_file(path, os.urandom(32))
        key = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the key of fingerprints {path} cannot be used: {error.strerror}") from None
    if len(key) < _SHORTEST_KEY:  # what a run that was killed while it wrote the key left, before keys were made whole
        raise UsageError(
            f"the key of fingerprints {path} is broken: it has {len(key)} bytes",
            hint="remove that file; a new one is made, and the next deploy restarts the services that use secrets",
        )
    return key
