"""Outcomes and checks as JUnit XML: one test case for each service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal
from xml.etree import ElementTree

from orchctl.cli.ci.escapes import xml_text
from orchctl.cli.ci.findings import Checked, Finding, evidence, findings_of_error, state_words
from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.errors import OrchctlError


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``kind`` is the word for the failure: a state, or an error code."""

    name: str
    duration_ms: int = 0
    result: Literal["passed", "failure", "skipped"] = "passed"
    kind: str = ""
    message: str = ""
    text: str = ""


def junit(verb: str, cases: Sequence[Case]) -> str:
    numbers = {
        "tests": str(len(cases)),
        "failures": str(sum(c.result == "failure" for c in cases)),
        "errors": "0",
        "skipped": str(sum(c.result == "skipped" for c in cases)),
        "time": _seconds(max((c.duration_ms for c in cases), default=0)),  # services run side by side
    }
    root = ElementTree.Element("testsuites", {"name": "orchctl", **numbers})
    suite = ElementTree.SubElement(root, "testsuite", {"name": f"orchctl {verb}", **numbers})
    for case in cases:
        _add(suite, verb, case)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def cases_of_outcomes(outcomes: Sequence[Outcome]) -> list[Case]:
    return [_outcome(o) for o in outcomes]


def cases_of_checks(checked: Sequence[Checked]) -> list[Case]:
    return [_check(c, several=len({c.backend for c in checked}) > 1) for c in checked]


def cases_of_error(error: OrchctlError, name: str) -> list[Case]:
    """One for each file with problems; one called ``name`` for anything else."""
    by_file = sorted(findings_of_error(error), key=lambda f: f.file)
    return [_broken(file or name, [*found]) for file, found in groupby(by_file, key=lambda f: f.file)]


def _outcome(outcome: Outcome) -> Case:
    message = outcome.message or (outcome.failures[0].message if outcome.failures else state_words(outcome))
    skipped = outcome.state is OutcomeState.NOT_STARTED
    return Case(
        name=outcome.service,
        duration_ms=outcome.duration_ms,
        result="skipped" if skipped else "failure" if outcome.exit_code else "passed",
        kind=outcome.error_code or outcome.state.value,
        message=message,
        text=evidence(outcome),
    )


def _check(checked: Checked, *, several: bool) -> Case:
    lines = [f"{i.policy.value} {i.path}: {i.message}" for i in checked.issues]
    return Case(
        name=f"{checked.service} on {checked.backend}" if several else checked.service,
        result="failure" if checked.is_refused else "passed",
        kind="refused",
        message=f"refused by {checked.backend}",
        text="\n".join(lines),
    )


def _broken(name: str, found: Sequence[Finding]) -> Case:
    lines = [f"{f.title} {f.file}:{f.line}:{f.column}: {f.message}" if f.line else f.message for f in found]
    first = found[0]
    return Case(name=name, result="failure", kind=first.rule, message=first.message, text="\n".join(lines))


def _add(suite: ElementTree.Element, verb: str, case: Case) -> None:
    facts = {"classname": f"orchctl.{verb}", "name": xml_text(case.name), "time": _seconds(case.duration_ms)}
    element = ElementTree.SubElement(suite, "testcase", facts)
    if case.result == "passed":
        return
    facts = {"message": xml_text(case.message)} | ({"type": xml_text(case.kind)} if case.result == "failure" else {})
    ElementTree.SubElement(element, case.result, facts).text = xml_text(case.text)


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.3f}"
