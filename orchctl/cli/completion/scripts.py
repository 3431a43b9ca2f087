"""Makes the three scripts; the tests compare them with the committed ones."""

from __future__ import annotations

from orchctl.cli.completion import FILES, bash, fish, zsh
from orchctl.cli.completion.words import verbs

_MAKERS = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}


def scripts() -> dict[str, str]:
    """File name -> content."""
    found = list(verbs())
    return {FILES[shell]: make(found) for shell, make in _MAKERS.items()}
