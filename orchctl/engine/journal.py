"""What an operation was about to do, on disk before it is sent.

One file per operation, one JSON line per step, each fsynced. The backend's records decide what the
next run does; the journal tells a person what the killed run had reached, and holds the evidence of
failures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchctl.core.context import Context
from orchctl.core.files import path_part, replace_file, sync_directory
from orchctl.errors import UsageError

INTENT = "intent"
"""The step that says what is about to be sent."""
_KEPT_OPERATIONS = 20


class Journal:
    """An open operation's log. ``step`` returns only when the line is on disk. ``has_intent``: something may have been sent."""

    def __init__(self, path: Path) -> None:
        """UsageError when nothing can be written there: then nothing may be sent either."""
        self.path = path
        self.has_intent = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            sync_directory(path.parent)
        except OSError as error:
            raise _unwritable(path, error) from error

    def step(self, name: str, at: str, facts: Mapping[str, Any] | None = None) -> None:
        """Write one step: intent, sent, confirmed ... ``facts`` are plain JSON values, never secrets."""
        # ASCII: backend text may hold lone surrogates, which UTF-8 cannot carry.
        line = json.dumps({"step": name, "at": at, **(facts or {})}) + "\n"
        try:
            os.write(self._fd, line.encode("ascii"))
            os.fsync(self._fd)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self.has_intent = self.has_intent or name == INTENT

    def close(self) -> None:
        os.close(self._fd)

    def discard(self) -> None:
        """Nothing came of it: as if it had never been opened."""
        self.path.unlink(missing_ok=True)
        _remove_empty(self.path.parent)


def open_journal(context: Context, *, namespace: str, name: str, verb: str, token: str, at: str) -> Journal:
    """Start the journal of one operation and drop the service's oldest beyond the last twenty."""
    directory = _directory(context, "journal", namespace, name)
    stamp = at.replace(":", "").replace("-", "")
    journal = Journal(directory / f"{stamp}-{verb}-{token[:8]}.jsonl")
    for old in sorted(directory.glob("*.jsonl"))[:-_KEPT_OPERATIONS]:
        old.unlink(missing_ok=True)
    return journal


def write_evidence(context: Context, *, namespace: str, name: str, revision: int, document: Mapping[str, Any]) -> Path:
    """Keep what was known about a failed revision, whole, before anything is undone; of the oldest failures, nothing."""
    directory = _directory(context, "evidence", namespace, name)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"r{revision}.json"
    replace_file(path, json.dumps(document, indent=2).encode("ascii"), mode=0o600)
    for old in sorted(directory.glob("r*.json"), key=lambda p: (len(p.name), p.name))[:-_KEPT_OPERATIONS]:
        old.unlink(missing_ok=True)
    return path


def read_evidence(context: Context, *, namespace: str, name: str, revision: int) -> Mapping[str, Any] | None:
    """What ``write_evidence`` kept on this machine, or None."""
    path = _directory(context, "evidence", namespace, name) / f"r{revision}.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def forget(context: Context, *, namespace: str, name: str) -> None:
    """Remove what is kept about a deleted service, the journal of its deletion included."""
    for kind in ("journal", "evidence"):
        directory = _directory(context, kind, namespace, name)
        for path in directory.glob("*.json*"):
            path.unlink(missing_ok=True)
        _remove_empty(directory)


def _remove_empty(directory: Path) -> None:
    for empty in (directory, *directory.parents[:3]):
        try:
            empty.rmdir()
        except OSError:  # absent, or something of another service is in it
            break


def _directory(context: Context, kind: str, namespace: str, name: str) -> Path:
    return context.state_dir.joinpath(kind, *map(path_part, (context.name, namespace, name)))


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the journal {path} cannot be written: {error.strerror}",
        hint="free some space, or name another directory with ORCHCTL_STATE_DIR",
    )
