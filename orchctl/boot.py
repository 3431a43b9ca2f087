"""The way in: answers ``--version`` and ``--help`` itself and hands everything else to the command line.

Imports os and sys only, because these two are what completion, package tests and people in a hurry call most
(at most one and a half times a bare interpreter). The text of ``--help`` is a file, made from ``cli.verbs``.
"""

from __future__ import annotations

import os
import sys

HELP_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "help.txt")
"""What ``--help`` prints; the tests compare it with ``cli.verbs.help_text``."""


def main() -> None:
    """Run the command line of this process; never returns without having ended it for good."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from orchctl import __version__

        _print(f"orchctl {__version__}\n")
    elif arguments in ([], ["--help"], ["-h"], ["help"]):
        _print(_help())
    elif arguments[0] == "__complete":
        _complete(arguments[1:])
    else:
        from orchctl.cli.exit import leave

        leave(arguments)


def _help() -> str:
    try:
        with open(HELP_FILE, encoding="utf-8") as file:
            return file.read()
    except OSError:  # the package is inside an archive: no file to open
        from orchctl.cli.verbs import help_text

        return help_text()


def _print(text: str) -> None:
    """A reader who is gone and a full disk end this as they end every verb."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        from orchctl.cli.exit import leave_unwritten

        leave_unwritten(error)


def _complete(words: list[str]) -> None:
    """For the completion scripts, on TAB: names from a file, no network, no complaint."""
    from orchctl.cli.names_cache import answer

    answer(words)


if __name__ == "__main__":
    main()
