"""From words to a verb: imports the one module that the first word names and lets typer read the rest."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any

from orchctl.cli.verbs import VERBS, Verb
from orchctl.errors import UsageError


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every failure leaves as an exception."""
    name, *rest = _without_help(arguments)
    verb = _verb_of(name)
    import typer

    words = _expand_yes(rest or (["--help"] if verb.is_group else []))
    try:
        with _command(verb).make_context(f"orchctl {name}", words) as context:
            return int(context.command.invoke(context) or 0)
    except typer.Exit as done:  # --help
        return done.exit_code
    except typer.TyperException as error:
        raise _usage_error(error, f"orchctl {name}") from None


def _command(verb: Verb) -> Any:
    """typer's command, or group of commands, for a verb."""
    import typer

    from orchctl.cli.options import flatten
    from orchctl.cli.values import Command, Group

    settings = {"help_option_names": ["-h", "--help"]}
    app = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=settings)
    module = importlib.import_module(f"orchctl.cli.{verb.module}")
    for name in verb.functions:
        app.command(name, cls=Command)(flatten(getattr(module, f"{name}_" if iskeyword(name) else name)))
    if verb.is_group:
        app.callback(help=verb.summary, cls=Group)(_group)
    return typer.main.get_command(app)


def _without_help(words: Sequence[str]) -> Sequence[str]:
    """``help deploy`` is ``deploy --help``; other topics are explained."""
    if words[0] != "help" or len(words) < 2:
        return words
    return [words[1], "--help"] if words[1] in VERBS else ["explain", *words[1:]]


def _group() -> None:
    """A verb with commands of its own."""


def _verb_of(name: str) -> Verb:
    if verb := VERBS.get(name):
        return verb
    if name.startswith("-"):
        raise UsageError(f"the verb comes first, and {name!r} is an option", hint="orchctl VERB [SERVICE...] [OPTIONS]")
    from difflib import get_close_matches

    close = get_close_matches(name, VERBS, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "see the verbs with: orchctl --help"
    raise UsageError(f"there is no verb {name[:60]!r}", hint=hint)


def _expand_yes(words: Sequence[str]) -> list[str]:
    """``--yes=NAME`` is ``--yes --confirm=NAME``: typer has no option with an optional value."""
    expanded: list[str] = []
    for position, word in enumerate(words):
        if word == "--":
            return [*expanded, *words[position:]]
        if word.startswith("--yes="):
            expanded += ["--yes", f"--confirm={word.removeprefix('--yes=')}"]
        else:
            expanded.append(word)
    return expanded


def _usage_error(error: Any, command: str) -> UsageError:
    """typer's complaint in our words: a sentence without a full stop, and where help is."""
    message = error.format_message().rstrip(".").replace("Value error, ", "")  # pydantic's prefix
    return UsageError(message[:1].lower() + message[1:], hint=f"see: {command} --help")
