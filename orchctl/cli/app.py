"""From words to a verb: imports the one module that the first word names and lets typer read the rest."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any

from orchctl.cli.verbs import VERBS, Verb
from orchctl.errors import UsageError

_JMESPATH = "jmespath="


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every failure leaves as an exception."""
    name, *rest = _without_help(arguments)
    verb = _verb_of(name)
    import typer

    words = _expanded(rest or (verb.functions[:1] if verb.is_group else []))
    try:
        with command_of(verb).make_context(f"orchctl {name}", words) as context:
            return int(context.command.invoke(context) or 0)
    except typer.Exit as done:  # --help
        return done.exit_code
    except typer.TyperException as error:
        raise _usage_error(error, f"orchctl {name}") from None


def command_of(verb: Verb) -> Any:
    """typer's command, or group of commands, for a verb."""
    import typer

    from orchctl.cli.options import flatten
    from orchctl.cli.values import Command, Group

    settings = {"help_option_names": ["-h", "--help"]}
    app = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=settings)
    module = importlib.import_module(f"orchctl.cli.{verb.name}")
    for name in verb.functions:
        app.command(name, cls=Command)(flatten(getattr(module, f"{name}_" if iskeyword(name) else name)))
    if verb.is_group:
        app.callback(help=verb.summary, cls=Group)(_group)
    return typer.main.get_command(app)


def _without_help(words: Sequence[str]) -> Sequence[str]:
    """``help deploy`` is ``deploy --help``, ``help lock show`` is ``lock show --help``; other topics are explained."""
    if words[0] != "help" or len(words) < 2:
        return words
    return [*words[1:], "--help"] if words[1] in VERBS else ["explain", *words[1:]]


def _group() -> None:
    """A verb with commands of its own."""


def _verb_of(name: str) -> Verb:
    if verb := VERBS.get(name):
        return verb
    if name.startswith("-"):
        raise UsageError(f"the verb comes first, and {name!r} is an option", hint="orchctl VERB [SERVICE...] [OPTIONS]")
    from orchctl.cli.verbs import OTHER_WORDS, guess

    if name == "exec":
        hint = (
            "orchctl runs nothing inside an instance; discover tells where it is, docker exec or kubectl exec run there"
        )
    elif name in OTHER_WORDS:
        hint = f"orchctl calls that {OTHER_WORDS[name]!r}"
    else:
        hint = f"did you mean {close!r}?" if (close := guess(name)) else "see the verbs with: orchctl --help"
    raise UsageError(f"there is no verb {name[:60]!r}", hint=hint)


def _expanded(words: Sequence[str]) -> list[str]:
    """What typer has no option for. ``--yes=NAME``, an option whose value may be missing, is ``--yes --confirm=NAME``, and
    ``-o jmespath=EXPRESSION``, as kubectl writes its ``jsonpath=``, is ``--query=EXPRESSION``."""
    expanded: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            return [*expanded, word, *left]
        if word.startswith("--yes="):
            expanded += ["--yes", f"--confirm={word.removeprefix('--yes=')}"]
            continue
        if word in ("-o", "--output"):
            following = next(left, None)
            given = [word] if following is None else [word, following]
        else:
            following, given = _joined_output(word), [word]
        is_expression = following is not None and following.startswith(_JMESPATH)
        expanded += [f"--query={following.removeprefix(_JMESPATH)}"] if following and is_expression else given
    return expanded


def _joined_output(word: str) -> str | None:
    """The value of ``-oVALUE`` and of ``--output=VALUE``."""
    for option in ("--output=", "-o"):
        if word.startswith(option):
            return word.removeprefix(option).removeprefix("=")
    return None


def _usage_error(error: Any, command: str) -> UsageError:
    """typer's complaint in our words: a sentence without a full stop, and where help is."""
    message = error.format_message().rstrip(".").replace("Value error, ", "")  # pydantic's prefix
    message = message.replace("\n\t", " ")  # the choices for a missing argument, one a line
    return UsageError(message[:1].lower() + message[1:], hint=f"see: {command} --help")
