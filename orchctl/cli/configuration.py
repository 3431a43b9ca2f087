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
from orchctl.errors import ConfigError

PROJECT_FILE = ".orchctl.toml"
_REPOSITORY = (".git", ".hg", ".svn", ".jj")
_TOP = ("default", "contexts")
_COMMON = ("backend", "namespace", "protected")
_HEADER_NOISE = re.compile(r"[\[\]\"'\s]")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """One ``[contexts.NAME]`` table. ``settings`` are the keys that belong to the backend."""

    name: str
    backend: str
    namespace: str = "default"
    protected: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All files together. ``default_from`` is the file that names the default context."""

    contexts: Mapping[str, ContextEntry] = field(default_factory=dict)
    default: str = ""
    default_from: Path | None = None


def load_configuration(cwd: Path, environ: Mapping[str, str]) -> Configuration:
    """Read what there is; ConfigError with file and line for what cannot be read or is not known."""
    contexts: dict[str, ContextEntry] = {}
    default, origin = "", None
    for path in configuration_files(cwd, environ):
        found = _read(path, must_exist=bool(environ.get("ORCHCTL_CONFIG")))
        contexts |= found.contexts
        if found.default:
            default, origin = found.default, path
    return Configuration(contexts=contexts, default=default, default_from=origin)


def configuration_files(cwd: Path, environ: Mapping[str, str]) -> list[Path]:
    """Weakest first; they need not exist."""
    if named := environ.get("ORCHCTL_CONFIG"):
        return [cwd / Path(named).expanduser()]
    project = _project_file(cwd)
    return [user_file(), *([project] if project else [])]


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
        default = self._typed(data, "default", str, "", table="")
        return Configuration(
            contexts={name: self._context(name, table) for name, table in contexts.items()}, default=default
        )

    def _context(self, name: str, table: Any) -> ContextEntry:
        where = f"contexts.{name}"
        if not isinstance(table, dict):
            self._fail(
                f"{where} is not a table", name, table="contexts", hint=f'write: [{where}] and backend = "local"'
            )
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
            settings={k: v for k, v in table.items() if k not in _COMMON},
            file=self._path,
        )

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
