"""What can stand on the command line, read from the verbs themselves."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from orchctl.cli.app import command_of
from orchctl.cli.verbs import VERBS
from orchctl.core.registry import BUILT_IN

ASKED = ("services", "targets", "contexts", "namespaces", "revisions")
"""Kinds of names that only ``orchctl __complete`` knows."""

_BY_METAVAR = {
    "SERVICE": "services",
    "SERVICE=COUNT": "targets",
    "CONTEXT": "contexts",
    "REVISION": "revisions",
    "FILE": "files",
}
_BY_OPTION = {"--context": "contexts", "--namespace": "namespaces", "--file": "specs"}


@dataclass(frozen=True, slots=True)
class Value:
    """What a value may be. ``kind``: one of ``ASKED``, specs, files, words (``words`` has them) or "" (anything)."""

    kind: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """One option under all its names; ``value`` None for a switch; ``many``: may be given again."""

    names: tuple[str, ...]
    help: str
    value: Value | None
    many: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A verb, or a command of a group (``path`` has two words). ``many``: takes several of its argument."""

    path: tuple[str, ...]
    summary: str
    flags: tuple[Flag, ...]
    argument: Value
    many: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A verb with commands of its own: name and summary of each."""

    name: str
    summary: str
    commands: tuple[tuple[str, str], ...]


HELP = Flag(("--help", "-h"), "What the verb does and the options it takes.", None)


def verbs() -> Iterator[Command | Group]:
    """Every verb in the order of ``--help``; a group is followed by its commands."""
    for name, verb in VERBS.items():
        found = command_of(verb)
        if not verb.is_group:
            yield _read((name,), verb.summary, found)
            continue
        inner = [(key, one, _first_line(one.help)) for key, one in found.commands.items()]
        yield Group(name, verb.summary, tuple((key, text) for key, _, text in inner))
        for key, one, text in inner:
            yield _read((name, key), text, one)


def _read(path: tuple[str, ...], summary: str, command: Any) -> Command:
    options = [p for p in command.params if p.param_type_name == "option"]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    flags = [Flag(tuple(p.opts), p.help or "", None if p.is_flag else _value(p, path), _is_many(p)) for p in options]
    return Command(
        path,
        summary,
        (*flags, HELP),
        _value(arguments[0], path) if arguments else Value(),
        bool(arguments) and _is_many(arguments[0]),
    )


def _value(parameter: Any, path: tuple[str, ...]) -> Value:
    kind = parameter.type_descriptor.annotation
    if typing.get_origin(kind) is Literal:
        return Value("words", typing.get_args(kind))
    if "--backend" in parameter.opts:
        return Value("words", tuple(sorted(BUILT_IN)))
    if parameter.metavar == "NAME" and path[0] == "context":
        return Value("contexts")
    if path == ("schema",) and parameter.metavar == "KIND":
        from orchctl.cli.output_schemas import KINDS

        return Value("words", KINDS)
    if path == ("explain",) and parameter.metavar == "CODE":
        return Value("words", ("exit-codes",))
    named = next((_BY_OPTION[name] for name in parameter.opts if name in _BY_OPTION), "")
    return Value(named or _BY_METAVAR.get(parameter.metavar or "", ""))


def _is_many(parameter: Any) -> bool:
    return bool(getattr(parameter, "multiple", False)) or parameter.nargs == -1


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0].rstrip(".")
