"""``orchctl context``: list, show and choose contexts."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orchctl.cli.configuration import (
    PROJECT_FILE,
    Configuration,
    ContextEntry,
    contexts_in,
    load_configuration,
    user_file,
    working_directory,
)
from orchctl.cli.noting import keep_contexts
from orchctl.cli.options import Printing, Talk
from orchctl.cli.place import all_entries, chosen, cluster_of
from orchctl.cli.terminal import terminal_of
from orchctl.core.files import replace_file
from orchctl.errors import ConfigError, UnknownContext, UsageError

Format = Annotated[
    Literal["table", "json", "yaml", "name"], typer.Option("--output", "-o", help="How to print the result.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The context.", show_default=False)]
MaybeName = Annotated[str, typer.Argument(metavar="NAME", help="Default: the current one.", show_default=False)]

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_DEFAULT = re.compile(r"^default[ \t]*=[^\r\n]*", re.MULTILINE)


def ls(talk: Printing, output: Format = "table") -> int:
    """List the contexts; the current one is marked."""
    from orchctl.cli.views.documents import listed

    terminal = terminal_of(talk, output)
    configuration = load_configuration(working_directory(), os.environ)
    current, _ = chosen(configuration)
    entries = all_entries(configuration).values()
    if terminal.wants_document:
        terminal.document(listed("ContextList", [_item(e, current) for e in entries]))
    elif output == "name":
        terminal.names(e.name for e in entries)
    else:
        terminal.table(
            ["", "NAME", "BACKEND", "NAMESPACE", "PROTECTED", "FILE"],
            [
                [
                    "*" if e.name == current else "",
                    e.name,
                    e.backend,
                    e.namespace,
                    "yes" if e.protected else "",
                    _file(e),
                ]
                for e in entries
            ],
        )
    keep_contexts()
    return 0


def show(talk: Printing, name: MaybeName = "", output: Format = "table") -> int:
    """Show one context: what it is, and which rule chose it."""
    from orchctl.cli.views.documents import headed
    from orchctl.cli.views.sanitise import sanitise

    terminal = terminal_of(talk, output)
    configuration = load_configuration(working_directory(), os.environ)
    current, origin = chosen(configuration, name)
    entry = _known(configuration, current)
    if terminal.wants_document:
        terminal.document(headed("Context", _item(entry, chosen(configuration)[0]) | {"chosen_by": origin}))
    elif output == "name":
        terminal.names([entry.name])
    else:
        facts = {"name": entry.name, "backend": entry.backend, "namespace": entry.namespace}
        facts |= {"protected": "yes" if entry.protected else "no", "file": _file(entry)}
        facts |= _shared(entry)
        facts |= {} if name else {"chosen by": origin}
        facts |= {key: str(_shown(value)) for key, value in entry.settings.items()}
        terminal.print("".join(f"{sanitise(f'{key}: {value}')}\n" for key, value in facts.items()))
    return 0


def use(talk: Talk, name: Name) -> int:
    """Make NAME the default in the user's configuration."""
    terminal = terminal_of(talk, "text")
    configuration = load_configuration(working_directory(), os.environ)
    entry = _known(configuration, name)
    named = os.environ.get("ORCHCTL_CONFIG")
    path = working_directory() / Path(named).expanduser() if named else user_file()
    if entry.file and name not in contexts_in(path):
        raise UsageError(
            f"context {name!r} is known in {entry.file} only: as the default of {path} it would fail everywhere else",
            hint=f'set default = "{name}" in {entry.file}, or write [contexts.{name}] into {path}',
        )
    _write_default(path, name)
    terminal.say(f"default context is now {name} ({path})")
    now, origin = chosen(load_configuration(working_directory(), os.environ))
    if now != name:
        terminal.say(f"here {now} is used all the same: {origin}", "warning")
    keep_contexts()
    return 0


def _known(configuration: Configuration, name: str) -> ContextEntry:
    known = all_entries(configuration)
    if name not in known:
        raise UnknownContext(f"there is no context {name!r}", hint=f"known: {', '.join(known)}")
    return known[name]


def _item(entry: ContextEntry, current: str) -> dict[str, Any]:
    """Settings are references to credentials, never credentials (the configuration holds none)."""
    return {
        "name": entry.name,
        "backend": entry.backend,
        "namespace": entry.namespace,
        "protected": entry.protected,
        "catalog": entry.catalog,
        "store": entry.store,
        "cluster": entry.cluster or cluster_of(entry),
        "settings": _shown(dict(entry.settings)),
        "file": str(entry.file) if entry.file else "",
        "current": entry.name == current,
    }


def _shown(value: Any) -> Any:
    """Without the user and password of an address."""
    from orchctl.cli.config import hide_user

    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    return hide_user(value) if isinstance(value, str) else value


def _shared(entry: ContextEntry) -> dict[str, str]:
    """What a context without a catalog does not have."""
    if not entry.catalog:
        return {}
    store = entry.store or f"{entry.backend} itself"
    return {"catalog": entry.catalog, "store": store, "cluster": entry.cluster or cluster_of(entry)}


def _file(entry: ContextEntry) -> str:
    return str(entry.file) if entry.file else "built in"


def _write_default(path: Path, name: str) -> None:
    """Change one line and leave the rest of the file as it is, comments, mode and links included."""
    hint = f"set it by hand, in the project's {PROJECT_FILE}, or with ORCHCTL_CONTEXT"
    try:
        text = path.read_bytes().decode("utf-8") if path.exists() else ""
        changed = _with_default(text, name)
        if changed is None:
            raise ConfigError("its default cannot be changed without changing more", file=str(path), hint=hint)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path.resolve(), changed.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"the configuration cannot be written: {error.strerror}", file=str(path), hint=hint) from None


def _with_default(text: str, name: str) -> str | None:
    """None when what comes out is not the same with another default: nobody expects a default over several lines."""
    import tomllib  # for this verb alone

    table = _TABLE.search(text)
    head, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    line = f"default = {_quoted(name)}"
    end = "\r\n" if "\r\n" in text else "\n"
    head = _DEFAULT.sub(lambda _: line, head, count=1) if _DEFAULT.search(head) else f"{line}{end}{head}"
    try:
        is_right = tomllib.loads(head + rest) == {**tomllib.loads(text), "default": name}
    except tomllib.TOMLDecodeError:
        is_right = False
    return head + rest if is_right else None


def _quoted(text: str) -> str:
    """A basic string of TOML: what JSON writes, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
