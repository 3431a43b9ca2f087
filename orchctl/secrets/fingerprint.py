"""By which a secret's value is known again: keyed with a random key of this installation (``ORCHCTL_FINGERPRINT_KEY``
shares one between CI machines), so that a rotated value changes the template and nobody can test guesses against a record.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from orchctl.core.files import create_file
from orchctl.errors import UsageError

_SHORTEST_KEY = 16


def fingerprint(value: bytes, key: bytes) -> str:
    """Twelve hexadecimal digits."""
    return hmac.new(key, value, hashlib.sha256).hexdigest()[:12]


def installation_key(environ: Mapping[str, str], state_dir: Path) -> bytes:
    """Made when it is first asked for; UsageError when it cannot be kept, or is broken."""
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
