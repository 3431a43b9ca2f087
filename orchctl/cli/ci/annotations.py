"""Findings as workflow commands of GitHub Actions: shown at the line of a pull request that causes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

from orchctl.cli.ci.defused import undefused
from orchctl.cli.ci.escapes import command_data, command_property
from orchctl.cli.ci.findings import Finding
from orchctl.cli.views.sanitise import sanitise_lines

MOST = 10
"""Of each kind and step; GitHub shows no more (community discussion 26680)."""


def annotate(stream: TextIO, findings: Sequence[Finding], place: Callable[[str], str]) -> None:
    """``::error file=orch.yaml,line=3::...`` on ``stream``; the last one says how many are left out. Notes stay in the log."""
    lines = []
    for level in ("error", "warning"):
        found = [f for f in findings if f.level == level]
        for number, finding in enumerate(found[:MOST], 1):
            rest = len(found) - MOST if number == MOST else 0
            lines.append(_command(finding, place(finding.file), f"\n(and {rest} more)" if rest > 0 else ""))
    with suppress(OSError):  # a log that is gone ends nothing
        undefused(stream).write("".join(f"{line}\n" for line in lines))
        stream.flush()


def _command(finding: Finding, file: str, more: str) -> str:
    facts = {"file": file, "line": finding.line if file else 0, "col": finding.column if file else 0}
    properties = {k: str(v) for k, v in {**facts, "title": _plain(finding.title)}.items() if v}
    shown = ",".join(f"{name}={command_property(value)}" for name, value in properties.items())
    return f"::{finding.level} {shown}::{command_data(_plain(finding.message) + more)}"


def _plain(text: str) -> str:
    """The runner prints an annotation once more: it must not become a command of the older form there."""
    return sanitise_lines(text).replace("##[", r"##\x5b")
