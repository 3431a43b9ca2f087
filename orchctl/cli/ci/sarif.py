"""What ``validate`` finds as SARIF 2.1.0 (OASIS, 2020), for code scanning."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from orchctl import __version__
from orchctl.cli.ci.findings import Finding
from orchctl.cli.explain import meaning
from orchctl.cli.views.sanitise import sanitise_lines

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_POLICIES = {
    "emulate": "The backend does it differently, with the same meaning.",
    "warn": "The backend approximates it, or does not enforce it.",
}


def sarif(findings: Sequence[Finding], place: Callable[[str], str]) -> str:
    """``place`` makes a file relative to the repository."""
    rules = sorted({f.rule for f in findings})
    run = {
        "tool": {
            "driver": {
                "name": "orchctl",
                "version": __version__,
                "rules": [_rule(name) for name in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(f, rules.index(f.rule), place(f.file)) for f in findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(name: str) -> dict[str, Any]:
    text = _POLICIES.get(name) or meaning(name)
    return {"id": name, "shortDescription": {"text": text.partition(". ")[0]}, "help": {"text": text}}


def _result(finding: Finding, rule: int, file: str) -> dict[str, Any]:
    message = {"text": sanitise_lines(finding.message)}
    result: dict[str, Any] = {"ruleId": finding.rule, "ruleIndex": rule, "level": finding.level, "message": message}
    if file:
        place: dict[str, Any] = {
            "artifactLocation": {"uri": quote(file, errors="surrogateescape"), "uriBaseId": "%SRCROOT%"}
        }
        if finding.line:
            column = {"startColumn": finding.column} if finding.column else {}
            place["region"] = {"startLine": finding.line, **column}
        result["locations"] = [{"physicalLocation": place}]
    return result
