"""Questions before what cannot be undone. Never a question without a terminal, never a hang."""

from __future__ import annotations

import sys

from orchctl.cli.options import Consent
from orchctl.cli.terminal import Terminal
from orchctl.core.context import Context
from orchctl.errors import ConfirmationRequired


def admit(terminal: Terminal, context: Context, consent: Consent) -> None:
    """Before any write: a protected context wants its name repeated."""
    if consent.confirm and consent.confirm != context.name:
        raise ConfirmationRequired(
            f"--yes names context {consent.confirm!r}, and the command is for {context.name!r}",
            hint=f"choose it with --context, or confirm with --yes={context.name}",
        )
    if not context.protected or (consent.yes and consent.confirm == context.name):
        return
    if consent.yes or not _can_ask(terminal):
        raise ConfirmationRequired(
            f"context {context.name!r} is protected", hint=f"confirm by repeating its name: --yes={context.name}"
        )
    answer = _ask(terminal, f"Context {context.name!r} is protected. Type its name to go on: ")
    if answer != context.name:
        raise ConfirmationRequired(f"not confirmed: context {context.name!r} is protected")


def confirm(terminal: Terminal, consent: Consent, question: str) -> None:
    """Ask, unless --yes was given; ConfirmationRequired when the answer is no, or nobody can answer."""
    if consent.yes:
        return
    if not _can_ask(terminal):
        raise ConfirmationRequired(f"this needs a confirmation: {question}", hint="confirm with --yes")
    if _ask(terminal, f"{question} [y/N] ").lower() not in ("y", "yes"):
        raise ConfirmationRequired("not confirmed: nothing was changed")


def _can_ask(terminal: Terminal) -> bool:
    """A program that reads documents (``--progress json``) answers no questions."""
    return terminal.progress != "json" and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _ask(terminal: Terminal, question: str) -> str:
    from orchctl.cli.views.sanitise import sanitise

    terminal.err.write(sanitise(question))
    terminal.err.flush()
    return sys.stdin.readline().strip()
