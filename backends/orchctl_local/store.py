"""Release records and leases as files: one per key, every write under the context's lock."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchctl.core.codec import canonical_json
from orchctl.core.store import Entry, Store
from orchctl.errors import AlreadyExists, NotFound, StalePlan, UsageError
from orchctl_local.failures import file_failures
from orchctl_local.files import next_version, read_json, state_lock, write_durable
from orchctl_local.layout import Layout

_KEY = re.compile(r"[a-z0-9.-]+(/[a-z0-9.-]+)*")
_LONGEST = 200


class FileStore(Store):
    """A key is one flat file name: ``_`` stands for ``/``, which no key contains otherwise."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.wrote = False
        """Something was written or removed through this object."""

    def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        with file_failures(), state_lock(self._layout):
            if self.get(key) is not None:
                raise AlreadyExists(f"{key} exists already")
            return self._write(key, body, meta)

    def get(self, key: str) -> Entry | None:
        with file_failures():
            return _entry(key, self._path(key))

    def list(self, prefix: str) -> Sequence[Entry]:
        with file_failures():
            if not self._layout.store.is_dir():
                return []
            keys = sorted(path.name.replace("_", "/") for path in self._layout.store.iterdir())
            found = (_entry(key, self._path(key)) for key in keys if key.startswith(prefix))
            return [entry for entry in found if entry is not None]

    def update(self, key: str, meta: Mapping[str, str], *, expect: str) -> Entry:
        with file_failures(), state_lock(self._layout):
            found = self.get(key)
            if found is None:
                raise NotFound(f"{key} is gone")
            _match(found, expect)
            return self._write(key, found.body, meta)

    def delete(self, key: str, *, expect: str) -> None:
        with file_failures(), state_lock(self._layout):
            found = self.get(key)
            if found is None:
                return
            _match(found, expect)
            self.wrote = True
            next_version(self._layout)
            self._path(key).unlink()

    def _write(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        self.wrote = True
        version = str(next_version(self._layout))
        plain = {"body": base64.b64encode(body).decode(), "meta": dict(meta), "version": version}
        write_durable(self._layout, self._path(key), canonical_json(plain).encode())
        return Entry(key=key, body=body, meta=dict(meta), version=version)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key) or len(key) > _LONGEST or ".." in key:
            raise UsageError(f"{key!r} is not a key of the store")
        return self._layout.store / key.replace("/", "_")


def _match(found: Entry, expect: str) -> None:
    if found.version != expect:
        raise StalePlan(f"{found.key} was changed meanwhile")


def _entry(key: str, path: Path) -> Entry | None:
    plain = read_json(path)
    try:
        return Entry(key=key, body=base64.b64decode(plain["body"]), meta=plain["meta"], version=plain["version"])
    except (TypeError, KeyError, ValueError):
        return None
