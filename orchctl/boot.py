"""The way in: answers ``--version`` and ``--help`` itself and hands everything else to the command line.

Imports nothing but sys at the top, because these two are what completion, package tests and people
in a hurry call most (at most twice a bare interpreter).
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process; never returns without having ended it for good."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from orchctl import __version__

        sys.stdout.write(f"orchctl {__version__}\n")
    elif arguments in ([], ["--help"], ["-h"], ["help"]):
        from orchctl.cli.verbs import help_text

        sys.stdout.write(help_text())
    else:
        from orchctl.cli.exit import leave

        leave(arguments)


if __name__ == "__main__":
    main()
