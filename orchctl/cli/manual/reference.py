"""The reference pages of docs: Markdown made from the verbs, errors, settings and output schemas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchctl.cli.explain import EXIT_CODES, codes
from orchctl.cli.manual.commands import Command, Entry, commands
from orchctl.cli.manual.places import CATALOGS, COMMON, FILES, SETTINGS, VARIABLES
from orchctl.cli.output_schemas import KINDS, schema_of

_Pairs = Iterable[tuple[str, str]]


def pages() -> dict[str, str]:
    """File name under docs/reference -> Markdown."""
    return {
        "verbs.md": _page(_verbs()),
        "errors.md": _page(_errors()),
        "configuration.md": _page(_configuration()),
        "outputs.md": _page(_outputs()),
    }


def _verbs() -> Iterator[str]:
    yield "# Verbs and flags"
    yield "Made from what `orchctl VERB --help` says. The man pages say the same: `man orchctl-deploy`."
    for verb in commands():
        yield f"## {verb.name}"
        for command in verb.commands or (verb,):
            if verb.commands:
                yield f"### {command.name}"
            yield from _told(command)


def _told(command: Command) -> Iterator[str]:
    yield f"```text\n{command.usage}\n```"
    for lines in command.paragraphs:
        yield _escaped(lines[0]) if len(lines) == 1 else "\n".join(["```text", *lines, "```"])
    if command.arguments:
        yield _terms("argument", command.arguments)
    yield _terms("option", command.options)


def _errors() -> Iterator[str]:
    yield "# Exit codes and error codes"
    yield "`orchctl explain CODE` says the same in a terminal."
    yield "## Exit codes"
    signals = [("128+n", "ended by signal n: 130 for Ctrl-C, 143 for SIGTERM")]
    yield _table("code", "meaning", [*((str(code), text) for code, text in EXIT_CODES.items()), *signals])
    yield "## Error codes"
    yield "A code stands in brackets behind the word error. Codes are public and stable."
    yield _table("code", "meaning", codes().items())


def _configuration() -> Iterator[str]:
    yield "# Configuration"
    yield (
        "A context is a named place to deploy to: a table `[contexts.NAME]`. The key `default` at the top names the context in "
        "force. The project's file stands over the user's: its contexts replace those of the same name. `orchctl config` shows "
        "every setting in force and what set it."
    )
    yield "## Keys of every context"
    yield _table("key", "meaning", COMMON.items())
    for backend, keys in SETTINGS.items():
        yield f"## Keys for {backend}"
        yield _table("key", "meaning", keys.items())
    yield "## Keys of a catalog"
    yield "A catalog is a table `[catalogs.NAME]`; a context names the one that goes with it."
    yield _table("key", "meaning", CATALOGS.items())
    yield "## Environment variables"
    yield _table("variable", "meaning", VARIABLES.items())
    yield "## Files"
    yield _table("file", "what it is", FILES.items())


def _outputs() -> Iterator[str]:
    yield "# Output schemas"
    yield (
        "What verbs print with `-o json`, `yaml` and `jsonl`. `orchctl schema KIND` prints the JSON Schema. Fields are only ever "
        "added, so read the ones you know and ignore others. Every document also has `apiVersion` and `kind`."
    )
    for kind in KINDS:
        schema = schema_of(kind)
        yield f"## {kind}"
        yield _escaped(schema["description"])
        fields = [*_fields(schema)]
        if fields:
            yield _table("field", "meaning", fields)


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The document's own fields; of a list the fields of its items, unless those are a kind of their own."""
    for name, field in schema["properties"].items():
        if name in ("apiVersion", "kind"):
            continue
        items = field.get("items", {}).get("properties", {}) if name == "items" else {}
        if items:
            yield from ((f"items[].{key}", _meaning(inner)) for key, inner in items.items())
        else:
            yield name, _meaning(field)


def _meaning(field: Mapping[str, Any]) -> str:
    told = str(field.get("description", ""))
    if values := field.get("enum"):
        told = f"{told} One of: {', '.join(map(str, values))}."
    return told.strip() or _kind(field)


def _kind(field: Mapping[str, Any]) -> str:
    kinds = field.get("type", "any value")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def _page(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def _terms(head: str, found: Sequence[Entry]) -> str:
    return _table(head, "meaning", ((entry.term, entry.text) for entry in found))


def _table(term: str, meaning: str, rows: _Pairs) -> str:
    lines = [f"| {term} | {meaning} |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{_cell(name)}` | {_cell(_escaped(text))} |" for name, text in rows)])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _escaped(text: str) -> str:
    """Running text that Markdown would read as something else; words in backquotes stay code."""
    parts = text.split("`")
    for number in range(0, len(parts), 2):
        for character in "\\*_<>[]":
            parts[number] = parts[number].replace(character, f"\\{character}")
    return "`".join(parts)
