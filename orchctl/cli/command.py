"""The command line as others may see it: in a lease, in a hint."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence


def value_of(names: Sequence[str], arguments: Sequence[str]) -> str:
    """What the command line gives one option under any of its names, also when it cannot be read further; "" = nothing."""
    for position, word in enumerate(arguments):
        for name in names:
            if word == name:
                return arguments[position + 1] if position + 1 < len(arguments) else ""
            joined = f"{name}=" if name.startswith("--") else name
            if word.startswith(joined):
                return word[len(joined) :].removeprefix("=")
    return ""


def talks_json(arguments: Sequence[str]) -> bool:
    """Stderr has one document a line and nothing else: ``--progress json``."""
    return value_of(("--progress",), arguments) == "json"


def resume_hint(arguments: Sequence[str]) -> str:
    """How to go on after an interruption."""
    return f"run the same command again to resume: {command_line(arguments)}"


_PLACE = (("--context",), ("--backend",), ("--namespace", "-n"))
_FILES = (("--file", "-f"), ("--env",), ("--env-file",))
_OFFERED = re.compile(r"\borchctl (?:(?P<of_spec>plan|deploy)|status|why|history|logs|discover|rollback|lock show)\b")


def pasted(hint: str, arguments: Sequence[str]) -> str:
    """A hint whose command works when it is pasted: where this command line told to work, that one is told too."""
    found = _OFFERED.search(hint)
    if found is None or "--context" in hint or "--backend" in hint:
        return hint
    known = (*_PLACE, *_FILES) if found["of_spec"] and "--out" not in hint else _PLACE
    words: list[str] = []
    for names in known:
        if value := value_of(names, arguments[1:]):
            words += [names[-1], value]
    return f"{hint[: found.end()]} {shlex.join(words)}{hint[found.end() :]}" if words else hint


def command_line(arguments: Sequence[str]) -> str:
    """``orchctl deploy -f x.yaml --set web:env.KEY=***``: values of --set stay with the user."""
    words, hide = ["orchctl"], False
    for word in arguments:
        if hide or word.startswith("--set="):
            path, _, _ = word.removeprefix("--set=").partition("=")
            words.append(f"{'' if hide else '--set='}{path}=***")
            hide = False
        else:
            words.append(word)
            hide = word == "--set"
    return shlex.join(words)
