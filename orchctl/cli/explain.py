"""``orchctl explain``: what an error code or an exit code means."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Annotated

import typer

from orchctl.cli.options import Talk
from orchctl.cli.terminal import terminal_of
from orchctl.errors import Interrupted, NotFound, OrchctlError

Topic = Annotated[str, typer.Argument(metavar="CODE", help="E0220, or exit-codes.", show_default=False)]

EXIT_CODES = {
    0: "done, or nothing to do",
    1: "a bug in orchctl or in a backend's adapter",
    2: "wrong usage, configuration or spec; nothing was sent",
    3: "changes are pending (plan --exit-code)",
    4: "not found",
    5: "conflict: changed or locked by somebody else, or a stale plan",
    6: "timed out; the rollout is still in progress",
    7: "the rollout failed and was left as it is",
    8: "the rollout failed, and the last good revision runs again",
    9: "the backend cannot be reached, or did not answer",
    10: "authentication or authorisation was refused",
    11: "partial: some of several services are done, or one runs and is not registered",
}


def explain(talk: Talk, topic: Topic = "exit-codes") -> int:
    """Explain an error code such as E0220, or the exit codes."""
    terminal = terminal_of(talk, "text")
    if topic == "exit-codes":
        terminal.print("".join(f"{code:>3}  {text}\n" for code, text in EXIT_CODES.items()))
        terminal.print("128+n  ended by signal n: 130 for Ctrl-C, 143 for SIGTERM\n")
    else:
        terminal.print(f"{topic.upper()}: {meaning(topic.upper())}\n")
    return 0


def meaning(code: str) -> str:
    """What an error code stands for; NotFound for others."""
    from orchctl.spec.codes import EXPLANATIONS

    for kind in _errors(OrchctlError):
        if kind.code == code:
            return f"{_sentence(kind)} {_ending(kind)}"
    for spec_code, text in EXPLANATIONS.items():
        if spec_code.value == code:
            return f"{text} Exit code 2."
    raise NotFound(f"there is no error code {code[:40]!r}", hint="a code stands in brackets behind the word error")


def codes() -> dict[str, str]:
    """Every error code with its meaning, in order."""
    from orchctl.spec.codes import EXPLANATIONS

    return {code: meaning(code) for code in sorted({*(k.code for k in _errors(OrchctlError)), *EXPLANATIONS})}


def _errors(kind: type[OrchctlError]) -> Iterator[type[OrchctlError]]:
    yield kind
    for sub in kind.__subclasses__():
        yield from _errors(sub)


def _ending(kind: type[OrchctlError]) -> str:
    """Its exit code; an interruption has the one of its signal."""
    if issubclass(kind, Interrupted):
        return "Exit code 128+n: ended by signal n."
    return f"Exit code {kind.exit_code}: {EXIT_CODES[kind.exit_code]}."


def _sentence(kind: type[OrchctlError]) -> str:
    """The first paragraph under the class."""
    return inspect.cleandoc(kind.__dict__["__doc__"]).partition("\n\n")[0].replace("\n", " ").replace("``", "")
