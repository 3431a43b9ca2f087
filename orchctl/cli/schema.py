"""``orchctl schema``: the JSON Schema of the spec, for editors."""

from __future__ import annotations

from orchctl.cli.options import Talk
from orchctl.cli.terminal import terminal_of


def schema(talk: Talk) -> int:
    """Print the JSON Schema of the spec."""
    from orchctl.spec.schema import schema_text

    terminal_of(talk, "json").print(schema_text())
    return 0
