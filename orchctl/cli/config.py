"""``orchctl config``: every setting in force, and what set it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orchctl.cli.configuration import (
    CatalogEntry,
    ContextEntry,
    configuration_files,
    line_of,
    load_configuration,
    state_dir,
    working_directory,
)
from orchctl.cli.names import namespace_of
from orchctl.cli.options import Printing, Talk, Where
from orchctl.cli.place import all_entries, chosen, cluster_of, find_context
from orchctl.cli.terminal import terminal_of

Format = Annotated[Literal["table", "json", "yaml"], typer.Option("--output", "-o", help="How to print the result.")]


class Source(StrEnum):
    """The kinds of origins, strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """``origin`` is the flag, the variable, or file:line; "" for a default. ``line`` 0 = it has none."""

    name: str
    value: Any
    source: Source = Source.DEFAULT
    origin: str = ""
    file: str = ""
    line: int = 0


def config(where: Where, talk: Printing, output: Format = "table") -> int:
    """Show every setting in force, and what set it: a flag, a variable, a line of a file, or nothing."""
    from orchctl.cli.views.documents import listed

    terminal = terminal_of(talk, output)
    found = [*_files(os.environ), *_of_context(where, os.environ), *_state(os.environ), *_looks(talk, os.environ)]
    if terminal.wants_document:
        terminal.document(listed("SettingList", [_item(s) for s in found]))
    else:
        rows = [[s.name, _text(shown(s.name, s.value)), s.origin or s.source.value] for s in found]
        terminal.table(["SETTING", "VALUE", "ORIGIN"], rows)
    return 0


def _files(environ: Mapping[str, str]) -> Iterator[Setting]:
    read = [str(path) for path in configuration_files(working_directory(), environ) if path.is_file()]
    if environ.get("ORCHCTL_CONFIG"):
        yield Setting(name="files", value=read, source=Source.ENVIRONMENT, origin="ORCHCTL_CONFIG")
    else:
        yield Setting(name="files", value=read)


def _of_context(where: Where, environ: Mapping[str, str]) -> Iterator[Setting]:
    context = find_context(where)
    configuration = load_configuration(working_directory(), environ)
    if where.backend:
        yield Setting(name="context", value=context.name, source=Source.FLAG, origin="--backend")
        yield Setting(name="backend", value=context.backend, source=Source.FLAG, origin="--backend")
        entry = ContextEntry(name=context.name, backend=context.backend)
    else:
        entry = all_entries(configuration)[context.name]
        if where.context:
            yield Setting(name="context", value=entry.name, source=Source.FLAG, origin="--context")
        elif environ.get("ORCHCTL_CONTEXT"):
            yield Setting(name="context", value=entry.name, source=Source.ENVIRONMENT, origin="ORCHCTL_CONTEXT")
        else:
            yield _written("context", chosen(configuration)[0], configuration.default_from, "default", table="")
        yield _of_entry("backend", entry.backend, entry)
    if where.namespace:
        namespace = namespace_of(where, context)
        yield Setting(name="namespace", value=namespace, source=Source.FLAG, origin="--namespace")
    else:
        yield _of_entry("namespace", entry.namespace, entry)
    yield _of_entry("protected", entry.protected, entry)
    for key, value in entry.settings.items():
        yield replace(_of_entry(key, value, entry), name=f"{entry.backend}.{key}")
    if entry.catalog:
        yield from _of_catalog(entry, configuration.catalogs[entry.catalog])


def _of_catalog(entry: ContextEntry, catalog: CatalogEntry) -> Iterator[Setting]:
    """What a context without a catalog does not have. Secrets are in files, and only their names are settings."""
    yield _of_entry("catalog", entry.catalog, entry)
    yield _of_entry("store", entry.store, entry)
    yield _of_entry("cluster", entry.cluster or cluster_of(entry), entry)
    yield _of_entry("register", entry.register, entry)
    yield _of_entry("register_address", entry.register_address, entry)
    for key, value in catalog.settings.items():
        found = _written(key, value, catalog.file, key, table=f"catalogs.{catalog.name}")
        yield replace(found, name=f"{catalog.name}.{key}")


def _of_entry(key: str, value: Any, entry: ContextEntry) -> Setting:
    defaults = {"namespace": "default", "protected": False, "store": "", "cluster": cluster_of(entry)}
    default = (defaults | {"register": False, "register_address": "service"}).get(key)
    return _written(key, value, entry.file, key, table=f"contexts.{entry.name}", default=default)


def _written(name: str, value: Any, file: Path | None, key: str, *, table: str, default: Any = None) -> Setting:
    """From that key of the file, or the default when the file does not have it.

    TOML has ways to write a table in one line; then the value tells that the file has the key, and there is no line.
    """
    line = line_of(file, key, table) if file else 0
    if file is None or (not line and value == default):
        return Setting(name=name, value=value)
    origin = f"{file}:{line}" if line else str(file)
    return Setting(name=name, value=value, source=Source.FILE, origin=origin, file=str(file), line=line)


def _state(environ: Mapping[str, str]) -> Iterator[Setting]:
    is_usual = environ.get("XDG_STATE_HOME", "").startswith("/")  # a relative one does not count, says its standard
    variable = "ORCHCTL_STATE_DIR" if environ.get("ORCHCTL_STATE_DIR") else "XDG_STATE_HOME" if is_usual else ""
    source = Source.ENVIRONMENT if variable else Source.DEFAULT
    yield Setting(name="state_dir", value=str(state_dir(environ)), source=source, origin=variable)
    if environ.get("ORCHCTL_FINGERPRINT_KEY"):
        variable = "ORCHCTL_FINGERPRINT_KEY"
        yield Setting(name="fingerprint_key", value="***", source=Source.ENVIRONMENT, origin=variable)


def _looks(talk: Talk, environ: Mapping[str, str]) -> Iterator[Setting]:
    """As ``wants_colour`` and ``terminal_of`` decide; auto = a terminal decides."""
    forced = environ.get("FORCE_COLOR", "0") not in ("", "0")
    is_dumb = environ.get("TERM") == "dumb"
    if talk.color != "auto":
        yield Setting(name="color", value=talk.color, source=Source.FLAG, origin="--color")
    else:
        rules = [("NO_COLOR", "never", bool(environ.get("NO_COLOR"))), ("FORCE_COLOR", "always", forced)]
        yield _first("color", [*rules, ("TERM", "never", is_dumb)])
    if talk.quiet or talk.progress != "auto":
        flag, value = ("--quiet", "quiet") if talk.quiet else ("--progress", talk.progress)
        yield Setting(name="progress", value=value, source=Source.FLAG, origin=flag)
    else:
        yield _first("progress", [("CI", "plain", bool(environ.get("CI"))), ("TERM", "plain", is_dumb)])


def _first(name: str, rules: list[tuple[str, str, bool]]) -> Setting:
    """Of (variable, value, holds) the first that holds."""
    for variable, value, holds in rules:
        if holds:
            return Setting(name=name, value=value, source=Source.ENVIRONMENT, origin=variable)
    return Setting(name=name, value="auto")


_HIDDEN = "***"
_SECRETS = ("password", "token", "secret")


def shown(name: str, value: Any) -> Any:
    """Without what does not belong into a configuration and is there all the same: a password among the settings, or the
    user before the host of an address. The name of a file is no secret."""
    if isinstance(value, Mapping):
        return {key: shown(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shown(name, inner) for inner in value]
    if not isinstance(value, str):
        return value
    return _HIDDEN if name.rpartition(".")[2] in _SECRETS else hide_user(value)


def hide_user(text: str) -> str:
    """Everything before the last @ of an address, however it is written."""
    head, at, rest = text.rpartition("@")
    scheme, slashes, _ = head.partition("//")
    return f"{scheme}//{_HIDDEN}@{rest}" if at and slashes else text


def _item(setting: Setting) -> dict[str, Any]:
    return {
        "name": setting.name,
        "value": shown(setting.name, setting.value),
        "source": setting.source.value,
        "origin": setting.origin,
        "file": setting.file,
        "line": setting.line,
    }


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return ", ".join(value) or "-"
    return value if isinstance(value, str) else json.dumps(value, default=str)
