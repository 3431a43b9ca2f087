"""The command line as others may see it: in a lease, in a hint."""

from __future__ import annotations

import shlex
import sys
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


def resume_hint() -> str:
    """How to go on after an interruption."""
    return f"run the same command again to resume: {command_line(sys.argv[1:])}"


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
