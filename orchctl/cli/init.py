"""``orchctl init``: a commented starter spec."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchctl.cli.configuration import working_directory
from orchctl.cli.options import Talk
from orchctl.cli.terminal import terminal_of
from orchctl.errors import UsageError

Name = Annotated[str, typer.Argument(metavar="NAME", help="The service.", show_default=False)]
Target = Annotated[str, typer.Option("--file", "-f", metavar="FILE", help="Where to write it.")]


def init(talk: Talk, name: Name = "web", file: Target = "orch.yaml") -> int:
    """Write a commented starter spec, never over an existing file."""
    from orchctl.spec.naming import NAME_LENGTH, name_problem
    from orchctl.spec.starter import starter_text

    if problem := name_problem(name, "service", NAME_LENGTH):
        raise UsageError(problem)
    path = working_directory() / Path(file)
    try:
        with path.open("x", encoding="utf-8") as target:
            target.write(starter_text(name))
    except FileExistsError:
        raise UsageError(f"{file} exists already", hint="choose another file with -f, or remove it first") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    terminal_of(talk, "text").say(f"wrote {file}; check it with: orchctl validate -f {file}")
    return 0
