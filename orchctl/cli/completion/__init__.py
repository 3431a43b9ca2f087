"""``orchctl completion``: the completion script of a shell.

The scripts are files, made by ``scripts`` from the verbs and committed, so that a key press starts no Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from orchctl.cli.options import Talk
from orchctl.cli.terminal import terminal_of
from orchctl.errors import ConfigError

FILES = {"bash": "orchctl.bash", "zsh": "_orchctl", "fish": "orchctl.fish"}

Shell = Annotated[
    Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)
]

_PACKAGED = Path(__file__).parents[2] / "completions"
_IN_THE_TREE = Path(__file__).parents[3] / "completions"


def completion(talk: Talk, shell: Shell) -> int:
    """Print the completion script of a shell. To install it, once:

    \b
    bash: orchctl completion bash > ~/.orchctl.bash && echo '. ~/.orchctl.bash' >> ~/.bashrc
    zsh:  orchctl completion zsh > ~/.orchctl.zsh && echo '. ~/.orchctl.zsh' >> ~/.zshrc
    fish: orchctl completion fish > ~/.config/fish/completions/orchctl.fish

    Verbs, options and their values are in the script. Names of services, contexts, namespaces and
    revisions are those that orchctl commands saw last on this machine; the network is not asked.
    """
    terminal_of(talk, "text").print(_script(shell))
    return 0


def _script(shell: str) -> str:
    for directory in (_PACKAGED, _IN_THE_TREE):
        if (path := directory / FILES[shell]).is_file():
            return path.read_text("utf-8")
    raise ConfigError(
        "this installation of orchctl has no completion scripts",
        file=str(_PACKAGED),
        hint="install orchctl again from its wheel",
    )
