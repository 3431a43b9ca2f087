"""``orchctl backends``: what each backend can do."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from orchctl.cli.options import Printing
from orchctl.cli.terminal import terminal_of
from orchctl.core import registry
from orchctl.core.capability import Claim, Feature, Support

Names = Annotated[
    list[str],
    typer.Argument(metavar="BACKEND", help="Only these, with reasons.", default_factory=list, show_default=False),
]
Format = Annotated[
    Literal["table", "wide", "json", "yaml", "name"],
    typer.Option("--output", "-o", help="How to print the result; wide has the reasons."),
]

_STYLES = {
    Support.NATIVE: "green",
    Support.EMULATED: "yellow",
    Support.WARNED: "yellow",
    Support.NOT_YET: "red",
    Support.UNSUPPORTED: "red",
}


def backends(
    talk: Printing,
    names: Names,
    output: Format = "table",
) -> int:
    """Show what each backend can do with each feature of the spec; nothing is contacted."""
    terminal = terminal_of(talk, output)
    claims = {name: registry.load(name).capabilities() for name in names or registry.known_names()}
    if terminal.wants_document:
        from orchctl.cli.views.documents import listed

        terminal.document(
            listed(
                "BackendList",
                [
                    {"name": name, "features": {f.value: _item(c) for f, c in kept.items()}}
                    for name, kept in claims.items()
                ],
            )
        )
    elif output == "name":
        terminal.names(claims)
    elif names or output == "wide":
        rows = [[name, f.value, _cell(kept[f]), kept[f].reason] for name, kept in claims.items() for f in Feature]
        terminal.table(["BACKEND", "FEATURE", "SUPPORT", "REASON"], rows)
    else:
        terminal.table(
            ["FEATURE", *(name.upper() for name in claims)],
            [[f.value, *(_cell(kept[f]) for kept in claims.values())] for f in Feature],
        )
    return 0


def _item(claim: Claim) -> dict[str, str]:
    return {"support": claim.support.value, "reason": claim.reason}


def _cell(claim: Claim) -> tuple[str, str]:
    return claim.support.value.replace("_", " "), _STYLES[claim.support]
