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
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchctl.core.backend import Secrets
from orchctl.core.secret import Secret
from orchctl.core.service import File, SecretRef, Service
from orchctl.errors import UsageError

_MAX_BYTES = 500_000  # Swarm's limit for a secret; the smallest of the backends
_COMMAND_TIMEOUT_S = 30
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
            with open(ref.name, "rb") as file:
                return _bounded(file.read(_MAX_BYTES + 1).rstrip(b"\n"), path)
        except OSError as error:
            raise UsageError(f"{path}: cannot read the secret file {ref.name!r}: {error.strerror}") from None
    return _bounded(_run(ref.name, path), path)


def _run(command: str, path: str) -> bytes:
    import subprocess  # as slow to import as the rest of this package; few specs need it

    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"{path}: the secret command did not end within {_COMMAND_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise UsageError(f"{path}: the secret command ended with exit code {done.returncode}")
    return done.stdout.rstrip(b"\n")


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
        return path.read_bytes()
    except FileNotFoundError:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with open(fd, "wb") as file:
        file.write(os.urandom(32))
        file.flush()
        os.fsync(file.fileno())
    return path.read_bytes()
