"""Notes the names that a command came across, for completion (``names_cache``).

Every look at the store and every change of it passes by here, so the notes are what the backend said, without a
request of their own. A cache: whatever prevents writing it is nobody's problem.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchctl.cli import names_cache
from orchctl.cli.configuration import load_configuration
from orchctl.cli.place import IMPLICIT, all_entries
from orchctl.core.context import Context
from orchctl.core.store import Entry, Store
from orchctl.errors import OrchctlError

_MOST_FILES = 100

Known = dict[str, dict[str, set[int]]]
_Seen = dict[tuple[str, str], Sequence[str]]
"""What is gone (a key or a prefix) and what was made, and what is there instead. In the order in which each was seen last:
commands that look for hours see the same ones again and again, and each look says all that the one before it said."""


class Notes:
    """What one command saw of its context's store; used by several threads."""

    def __init__(self) -> None:
        self._seen: _Seen = {}

    def watch(self, store: Store) -> Store:
        """``store``, and from now on its keys are noted."""
        return _Watched(store, self._seen)

    def keep(self, context: Context) -> None:
        """At the end of a command that went well: into the cache."""
        keep_contexts()
        directory = names_cache.cache_dir(os.environ)
        file = _file(context.name, context.backend, context.settings, context.base_dir)
        if not directory or not file or not self._seen:
            return
        path = names_cache.services_path(directory, file)
        known = {
            namespace: {name: names_cache.revisions(numbers) for name, numbers in names.items()}
            for namespace, names in names_cache.services(path).items()
        }
        for (gone, _), there in self._seen.items():
            _forget(known, gone)
            for key in there:
                _learn(known, key)
        _write(path, _text(known))


def keep_contexts() -> None:
    """The contexts of the working directory, and which one is current."""
    with suppress(OrchctlError, OSError):
        cwd = os.getcwd()
        configuration = load_configuration(Path(cwd), os.environ)
        current = configuration.default or IMPLICIT  # ORCHCTL_CONTEXT is asked on TAB
        directory = names_cache.cache_dir(os.environ)
        rows = [
            (
                names_cache.CURRENT if entry.name == current else names_cache.OTHER,
                entry.name,
                entry.namespace,
                _file(entry.name, entry.backend, entry.settings, entry.file.absolute().parent if entry.file else cwd),
            )
            for entry in all_entries(configuration).values()
            if names_cache.is_safe(entry.name) and names_cache.is_safe(entry.namespace)
        ]
        if directory:
            path = names_cache.contexts_path(directory, cwd, os.environ)
            _write(path, "".join("\t".join(row) + "\n" for row in rows))


class _Watched(Store):
    """A Store that says which keys it saw come and go."""

    def __init__(self, store: Store, seen: _Seen) -> None:
        self._store = store
        self._seen = seen
        self.fenced = store.fenced
        self.max_body_bytes = store.max_body_bytes

    def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        entry = self._store.create(key, body, meta)
        self._note("", key, [key])
        return entry

    def get(self, key: str) -> Entry | None:
        return self._store.get(key)

    def list(self, prefix: str) -> Sequence[Entry]:
        entries = self._store.list(prefix)
        self._note(prefix, "", [entry.key for entry in entries])
        return entries

    def update(self, key: str, meta: Mapping[str, str], *, expect: str) -> Entry:
        return self._store.update(key, meta, expect=expect)

    def delete(self, key: str, *, expect: str) -> None:
        self._store.delete(key, expect=expect)
        self._note(key, "", ())

    def _note(self, gone: str, made: str, there: Sequence[str]) -> None:
        self._seen.pop((gone, made), None)
        self._seen[gone, made] = there


def _file(name: str, backend: str, settings: Mapping[str, Any], base: Path | str) -> str:
    """The services file of a context; ``--backend NAME`` and contexts that say no more than that share one."""
    if not names_cache.is_safe(name):
        return ""
    return name if name == backend and not settings else names_cache.as_file(f"{base}/{name}")


def _parts(key: str) -> tuple[str, str, str, str]:
    """Namespace, service, kind and number of a key; "" for what a prefix leaves out."""
    namespace, name, kind, number, *_ = [*key.split("/"), "", "", ""]
    return namespace, name, kind, number


def _forget(known: Known, gone: str) -> None:
    namespace, name, kind, number = _parts(gone)
    if kind not in ("", "r"):
        return
    if not name:
        known.pop(namespace, None)
    elif not number:
        known.get(namespace, {}).pop(name, None)
    elif names_cache.is_number(number):
        known.get(namespace, {}).get(name, set()).discard(int(number))


def _learn(known: Known, key: str) -> None:
    namespace, name, kind, number = _parts(key)
    is_named = names_cache.is_safe(namespace) and names_cache.is_safe(name)
    if kind == "r" and is_named and names_cache.is_number(number):
        known.setdefault(namespace, {}).setdefault(name, set()).add(int(number))


def _text(known: Known) -> str:
    return "".join(
        f"{namespace}\t{name}\t{' '.join(map(str, sorted(numbers, reverse=True)))}\n"
        for namespace, names in sorted(known.items())
        for name, numbers in sorted(names.items())
        if numbers
    )


def _write(path: str, text: str) -> None:
    """All or nothing, for the user's eyes only, and only when something is new. A full disk, a home that is read-only
    or that of somebody else: then there is no cache."""
    if text == names_cache.text_of(path):
        return
    temporary = f"{path}.{os.getpid()}.tmp"
    with suppress(OSError):
        _make_directory(os.path.dirname(path))
        _make_room(os.path.dirname(path))
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)


def _make_directory(path: str) -> None:
    """Only inside one of ours: root working with the home of a user must not make that user's ~/.cache its own."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    _make_directory(above)
    if os.stat(above).st_uid != os.geteuid():
        raise PermissionError(above)
    os.mkdir(path, 0o700)


def _make_room(directory: str) -> None:
    """Projects come and go: of many files the oldest is dropped."""
    files = [entry.path for entry in os.scandir(directory)]
    if len(files) >= _MOST_FILES:
        os.unlink(min(files, key=os.path.getmtime))
