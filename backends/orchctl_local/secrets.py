"""Secret values on this machine: the user's own files (the backend's store), and what providers gave at deploy time."""

from __future__ import annotations

import re
from pathlib import Path

from orchctl.core.service import SecretRef
from orchctl_local.layout import Layout
from orchctl_local.model import secret_digest

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def value_of(ref: SecretRef, *, layout: Layout, namespace: str, name: str, secrets_dir: str) -> bytes | None:
    """The secret's bytes; None when there is none."""
    path = file_of(ref, layout, namespace, name, secrets_dir)
    return _read(path) if path is not None else None


def file_of(ref: SecretRef, layout: Layout, namespace: str, name: str, secrets_dir: str) -> Path | None:
    """Where the value stands: a provider's, of this version, below ``layout``; None where no file may hold it."""
    if ref.source:
        return layout.secret_file(namespace, name, secret_digest(ref))
    return store_file(ref, secrets_dir)


def store_file(ref: SecretRef, secrets_dir: str) -> Path | None:
    """``<secrets_dir>/<name>/<key>``, or ``<secrets_dir>/<name>`` without a key; None outside of that directory."""
    parts = [ref.name, ref.key] if ref.key else [ref.name]
    if not secrets_dir or not all(_NAME.fullmatch(part) for part in parts):
        return None
    path = Path(secrets_dir, *parts)
    return path if path.resolve().is_relative_to(Path(secrets_dir).resolve()) else None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
