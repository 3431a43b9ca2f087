"""The configuration files: where they are, what they may say, what they say.

``ORCHCTL_CONFIG`` names one file. Otherwise the project's ``.orchctl.toml`` (found upward from the working
directory to the root of the repository) stands over the user's ``config.toml``: its contexts replace
those of the same name, its ``default`` wins.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from orchctl.core.registry import BUILT_IN
from orchctl.core.stores import SHARED
from orchctl.errors import ConfigError

PROJECT_FILE = ".orchctl.toml"
_REPOSITORY = (".git", ".hg", ".svn", ".jj")
_TOP = ("default", "contexts", "catalogs")
_COMMON = ("backend", "namespace", "protected", "catalog", "store", "cluster", "register", "register_address")
_CATALOG_KINDS = ("consul",)
_SWITCHES = ("mesh",)
_HEADER_NOISE = re.compile(r"[\[\]\"'\s]")
_CONTEXT_NAME = re.compile(r"(?![.])[^/\x00-\x1f\x7f]{1,100}")
"""It stands in paths, documents and terminals."""
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """One ``[contexts.NAME]`` table. ``settings`` are the keys that belong to the backend."""

    name: str
    backend: str
    namespace: str = "default"
    protected: bool = False
    catalog: str = ""
    store: str = ""
    cluster: str = ""
    register: bool = False
    register_address: str = "service"
    settings: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One ``[catalogs.NAME]`` table. ``kind`` is the key that holds its address."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All files together. ``default_from`` is the file that names the default context."""

    contexts: Mapping[str, ContextEntry] = field(default_factory=dict)
    catalogs: Mapping[str, CatalogEntry] = field(default_factory=dict)
    default: str = ""
    default_from: Path | None = None


def load_configuration(cwd: Path, environ: Mapping[str, str]) -> Configuration:
    """Read what there is; ConfigError with file and line for what cannot be read or is not known."""
    contexts: dict[str, ContextEntry] = {}
    catalogs: dict[str, CatalogEntry] = {}
    default, origin = "", None
    for path in configuration_files(cwd, environ):
        found = _read(path, must_exist=bool(environ.get("ORCHCTL_CONFIG")))
        contexts |= found.contexts
        catalogs |= found.catalogs
        if found.default:
            default, origin = found.default, path
    _refuse_unknown_catalogs(contexts, catalogs)
    return Configuration(contexts=contexts, catalogs=catalogs, default=default, default_from=origin)


def _refuse_unknown_catalogs(contexts: Mapping[str, ContextEntry], catalogs: Mapping[str, CatalogEntry]) -> None:
    """A project's context may name a catalog of the user's own file, so all of them must be known."""
    for entry in contexts.values():
        if entry.catalog and entry.catalog not in catalogs:
            close = get_close_matches(entry.catalog, catalogs, 1)
            known = (
                f"known: {', '.join(catalogs)}" if catalogs else f"write [catalogs.{entry.catalog}] with its address"
            )
            raise ConfigError(
                f"there is no catalog {entry.catalog!r}",
                file=str(entry.file),
                line=line_of(entry.file, "catalog", f"contexts.{entry.name}") if entry.file else 0,
                hint=f"did you mean {close[0]!r}?" if close else known,
            )


def configuration_files(cwd: Path, environ: Mapping[str, str]) -> list[Path]:
    """Weakest first; they need not exist."""
    if named := environ.get("ORCHCTL_CONFIG"):
        return [cwd / Path(named).expanduser()]
    project = _project_file(cwd)
    return [user_file(), *([project] if project else [])]


def contexts_in(path: Path) -> Mapping[str, ContextEntry]:
    """Those of this one file; none when it does not exist."""
    return _read(path, must_exist=False).contexts


def line_of(path: Path, key: str, table: str) -> int:
    """The line of ``key`` in ``[table]`` (0 = it is not there), of a file that was read before."""
    try:
        return _File(path, path.read_text("utf-8")).line_of(key, table)
    except OSError:
        return 0


def user_file() -> Path:
    return _directory("XDG_CONFIG_HOME", ".config", "user_config_path") / "config.toml"


def _project_file(cwd: Path) -> Path | None:
    for directory in (cwd.absolute(), *cwd.absolute().parents):
        if (directory / PROJECT_FILE).is_file():
            return directory / PROJECT_FILE
        if any((directory / mark).exists() for mark in _REPOSITORY):
            return None
    return None


def _read(path: Path, *, must_exist: bool) -> Configuration:
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if must_exist:
            raise ConfigError(
                "the configuration file does not exist", file=str(path), hint="ORCHCTL_CONFIG names it"
            ) from None
        return Configuration()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration cannot be read: {error}", file=str(path)) from None

    import tomllib  # most machines have no configuration, and this is a tenth of a short command

    try:
        return _File(path, text).configuration(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        place = _AT_LINE.search(str(error))
        message = _AT_LINE.sub("", str(error)).strip()
        raise ConfigError(
            f"not valid TOML: {message}", file=str(path), line=int(place[1]) if place else len(text.splitlines())
        ) from None


class _File:
    """One file's tables, checked."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def configuration(self, data: Mapping[str, Any]) -> Configuration:
        self._known(data, _TOP, table="")
        contexts = self._typed(data, "contexts", dict, {}, table="")
        catalogs = self._typed(data, "catalogs", dict, {}, table="")
        default = self._typed(data, "default", str, "", table="")
        return Configuration(
            contexts={name: self._context(name, table) for name, table in contexts.items()},
            catalogs={name: self._catalog(name, table) for name, table in catalogs.items()},
            default=default,
        )

    def _context(self, name: str, table: Any) -> ContextEntry:
        where = f"contexts.{name}"
        if not isinstance(table, dict):
            self._fail(
                f"{where} is not a table", name, table="contexts", hint=f'write: [{where}] and backend = "local"'
            )
        if not _CONTEXT_NAME.fullmatch(name):
            hint = "no / and no control characters, not starting with a dot, at most 100 characters"
            self._fail(f"{name[:100]!r} cannot be the name of a context", "", table=where, hint=hint)
        backend = self._typed(table, "backend", str, "", table=where)
        if not backend:
            self._fail(
                f"context {name!r} names no backend", "", table=where, hint=f"one of: {', '.join(sorted(BUILT_IN))}"
            )
        if close := [k for k in table if k not in _COMMON and get_close_matches(k, _COMMON, 1, 0.8)]:
            self._known({close[0]: None}, _COMMON, table=where)
        return ContextEntry(
            name=name,
            backend=backend,
            namespace=self._typed(table, "namespace", str, "default", table=where),
            protected=self._typed(table, "protected", bool, False, table=where),
            catalog=self._typed(table, "catalog", str, "", table=where),
            store=self._store(table, where),
            cluster=self._typed(table, "cluster", str, "", table=where),
            register=self._typed(table, "register", bool, False, table=where),
            register_address=self._address(table, where),
            settings={k: v for k, v in table.items() if k not in _COMMON},
            file=self._path,
        )

    def _store(self, table: Mapping[str, Any], where: str) -> str:
        store: str = self._typed(table, "store", str, "", table=where)
        if store and store not in SHARED:
            hint = f"known: {', '.join(SHARED)}; without this key the backend keeps records and locks itself"
            self._fail(f"there is no store {store!r}", "store", table=where, hint=hint)
        if store and not table.get("catalog"):
            hint = 'write: catalog = "NAME", and [catalogs.NAME] with its address'
            self._fail(f"store = {store!r} needs a catalog", "store", table=where, hint=hint)
        return store

    def _address(self, table: Mapping[str, Any], where: str) -> str:
        address: str = self._typed(table, "register_address", str, "service", table=where)
        if address not in ("service", "instance"):
            message = f"register_address is service or instance, not {address!r}"
            self._fail(message, "register_address", table=where)
        if ("register" in table or "register_address" in table) and not table.get("catalog"):
            key = "register" if "register" in table else "register_address"
            hint = 'write: catalog = "NAME", and [catalogs.NAME] with its address'
            self._fail(f"{key} needs a catalog", key, table=where, hint=hint)
        return address

    def _catalog(self, name: str, table: Any) -> CatalogEntry:
        where = f"catalogs.{name}"
        hint = f'write: [{where}] and consul = "http://127.0.0.1:8500"'
        if not isinstance(table, dict):
            self._fail(f"{where} is not a table", name, table="catalogs", hint=hint)
        kind = next((k for k in _CATALOG_KINDS if k in table), "")
        if not kind:
            self._fail(f"catalog {name!r} names no address", "", table=where, hint=hint)
        for key in table:
            self._typed(table, key, bool if key in _SWITCHES else str, "", table=where)
        return CatalogEntry(name=name, kind=kind, settings=dict(table), file=self._path)

    def _known(self, data: Iterable[str], known: Iterable[str], *, table: str) -> None:
        for key in data:
            if key not in (*known,):
                close = get_close_matches(key, list(known), 1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                self._fail(f"unknown key {key!r}", key, table=table, hint=hint)

    def _typed(self, data: Mapping[str, Any], key: str, kind: type, default: Any, *, table: str) -> Any:
        value = data.get(key, default)
        if not isinstance(value, kind):
            words = {str: "a text in quotes", bool: "true or false", dict: "a table"}[kind]
            self._fail(f"{key} must be {words}", key, table=table)
        return value

    def _fail(self, message: str, key: str, *, table: str, hint: str = "") -> None:
        raise ConfigError(message, file=str(self._path), line=self._line(key, table), hint=hint)

    def line_of(self, key: str, table: str) -> int:
        """Of the key itself or of the table that it is, never of the one it stands in; 0 = not found."""
        found = self._line(key, table)
        return found if found != self._line("", table) else self._line("", f"{table}.{key}")

    def _line(self, key: str, table: str) -> int:
        """The line of ``key`` in ``[table]``, or of the table; tomllib tells no positions. 0 = not found."""
        current, header = "", 0
        for number, line in enumerate(self._lines, 1):
            text = line.strip()
            if text.startswith("["):
                current = _HEADER_NOISE.sub("", text.partition("#")[0])
                if table and current == table:
                    header = number
                if not table and current.partition(".")[0] == key:
                    return number
            elif current == table and key and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*[=.]", text):
                return number
        return header


def state_dir(environ: Mapping[str, str]) -> Path:
    """``ORCHCTL_STATE_DIR``, or the platform's directory for state."""
    if named := environ.get("ORCHCTL_STATE_DIR"):
        return Path(named).expanduser().absolute()
    return _directory("XDG_STATE_HOME", ".local/state", "user_state_path")


def _directory(variable: str, default: str, function: str) -> Path:
    """What platformdirs says; on Linux by its own rule, because importing it costs more than a bare interpreter."""
    home, named = os.environ.get("HOME", ""), os.environ.get(variable, "")
    if sys.platform.startswith("linux") and home.startswith("/"):
        return (Path(named) if named.startswith("/") else Path(home, default)) / "orchctl"
    import platformdirs

    found: Path = getattr(platformdirs, function)("orchctl")
    return found


def working_directory() -> Path:
    """ConfigError when it has been removed under us."""
    try:
        return Path(os.getcwd())
    except FileNotFoundError:
        raise ConfigError("the working directory does not exist any more") from None
