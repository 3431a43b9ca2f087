"""What there is to say about each verb, read from what ``orchctl VERB --help`` is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchctl.cli.app import command_of
from orchctl.cli.verbs import VERBS


@dataclass(frozen=True, slots=True)
class Entry:
    """An option or argument as the help page writes it (``-o, --output <text|json>``), and its sentence."""

    term: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A verb, or a command of a group. ``paragraphs`` are lists of lines: several lines stay as they are broken."""

    name: str
    summary: str
    usage: str
    paragraphs: tuple[tuple[str, ...], ...]
    arguments: tuple[Entry, ...]
    options: tuple[Entry, ...]
    commands: tuple[Command, ...] = ()


def commands() -> Iterator[Command]:
    """Every verb, in the order of ``orchctl --help``."""
    for name, verb in VERBS.items():
        yield _read(command_of(verb), name, verb.summary)


def _read(command: Any, name: str, summary: str) -> Command:
    context = command.context_class(command, info_name=f"orchctl {name}")
    records = [(p.param_type_name, p.get_help_record(context)) for p in command.get_params(context)]
    inner = getattr(command, "commands", {})
    return Command(
        name=name,
        summary=summary,
        usage=" ".join([f"orchctl {name}", *command.collect_usage_pieces(context)]),
        paragraphs=_paragraphs(command.help or summary),
        arguments=tuple(_entry(record) for kind, record in records if kind == "argument" and record),
        options=tuple(_entry(record) for kind, record in records if kind == "option" and record),
        commands=tuple(_read(one, f"{name} {key}", _summary(one.help)) for key, one in inner.items()),
    )


def _entry(record: tuple[str, str]) -> Entry:
    term, text = record
    return Entry("-h, --help" if term == "--help" else term, " ".join(text.split()))


def _summary(text: str) -> str:
    return text.strip().splitlines()[0].rstrip(".")


def _paragraphs(text: str) -> tuple[tuple[str, ...], ...]:
    """Behind a line of \\b lines stay as they are, elsewhere a paragraph is one line."""
    blocks = [block.strip("\n").split("\n") for block in re.split(r"\n\s*\n", text.strip())]
    return tuple(tuple(lines[1:]) if lines[0] == "\b" else (" ".join(lines),) for lines in blocks)
