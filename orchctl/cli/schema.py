"""``orchctl schema``: the JSON Schema of the spec, for editors, or of a document that verbs print."""

from __future__ import annotations

from typing import Annotated

import typer

from orchctl.cli.options import Talk
from orchctl.cli.terminal import terminal_of
from orchctl.errors import NotFound

Kind = Annotated[
    str, typer.Argument(metavar="KIND", help="A document's kind: Outcome. Default: the spec.", show_default=False)
]


def schema(talk: Talk, kind: Kind = "") -> int:
    """Print the JSON Schema of the spec, or of what verbs print with -o json."""
    terminal_of(talk, "json").print(_output_schema(kind) if kind else _spec_schema())
    return 0


def _spec_schema() -> str:
    from orchctl.spec.schema import schema_text

    return schema_text()


def _output_schema(kind: str) -> str:
    from difflib import get_close_matches

    from orchctl.cli.output_schemas import KINDS, schema_text

    known = {name.lower(): name for name in KINDS}
    if kind.lower() in known:
        return schema_text(known[kind.lower()])
    close = get_close_matches(kind.lower(), known, 1)
    hint = f"did you mean {known[close[0]]!r}? " if close else ""
    raise NotFound(f"there is no kind {kind[:60]!r}", hint=f"{hint}known: {', '.join(KINDS)}")
