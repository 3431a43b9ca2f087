"""Tells CI services and report files of an error that ended the command."""

from __future__ import annotations

from dataclasses import replace

from orchctl.cli.ci import junit
from orchctl.cli.ci.audience import Audience
from orchctl.cli.ci.files import ReportFile
from orchctl.cli.ci.findings import Finding, findings_of_error
from orchctl.cli.ci.outputs import dotenv, outputs_of
from orchctl.cli.terminal import Terminal
from orchctl.core.rollout import Outcome
from orchctl.errors import OrchctlError


def tell(error: OrchctlError, audience: Audience, terminal: Terminal) -> None:
    """Raises no OrchctlError: how the command ended stays as it is."""
    findings = findings_of_error(error)
    audience.annotate(terminal, findings)
    outcome = _outcome(error, findings, audience.verb)
    if audience.writes:
        audience.publish(terminal, [outcome], outcome.exit_code)
    for file in audience.files:
        if file.kind != "markdown":  # there is no plan
            audience.write(terminal, file, _text(error, findings, outcome, file, audience))


def _outcome(error: OrchctlError, findings: list[Finding], verb: str) -> Outcome:
    """Of the service that it is about; of the command, when that is not known."""
    from orchctl.engine.waves import outcome_of

    lines = [f"{f.file}:{f.line}:{f.column}: {f.message}" if f.line else f.message for f in findings]
    return replace(outcome_of(error, error.service or verb, 0), message="\n".join(lines), hint="")


def _text(error: OrchctlError, findings: list[Finding], outcome: Outcome, file: ReportFile, audience: Audience) -> str:
    if file.kind == "junit":
        return junit.junit(audience.verb, junit.cases_of_error(error, outcome.service))
    if file.kind == "sarif":
        return audience.sarif(findings)
    return dotenv(outputs_of([outcome], outcome.exit_code))
