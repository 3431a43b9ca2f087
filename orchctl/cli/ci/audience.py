"""Tells CI services and report files how a command ended."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from orchctl.cli.ci import junit
from orchctl.cli.ci.annotations import annotate
from orchctl.cli.ci.files import ReportFile
from orchctl.cli.ci.findings import Checked, Finding, findings_of_checks, findings_of_issues, findings_of_outcomes
from orchctl.cli.ci.outputs import dotenv, github_outputs, outputs_of
from orchctl.cli.ci.paths import in_repository
from orchctl.cli.ci.summary import MOST_BYTES, summary
from orchctl.cli.terminal import Terminal
from orchctl.core.plan import Plan
from orchctl.core.rollout import Outcome
from orchctl.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Of one command. ``environ`` says which CI service runs it; ``writes``: the verb changes services."""

    verb: str
    writes: bool
    environ: Mapping[str, str]
    files: Sequence[ReportFile] = ()

    @property
    def has_github(self) -> bool:
        return self.environ.get("GITHUB_ACTIONS") == "true"

    @property
    def has_gitlab(self) -> bool:
        return self.environ.get("GITLAB_CI") == "true"

    def outcomes(self, terminal: Terminal, outcomes: Sequence[Outcome], exit_code: int) -> None:
        """Something was sent: whatever fails here is a warning."""
        self.annotate(terminal, findings_of_outcomes(outcomes))
        self.publish(terminal, outcomes, exit_code)
        for file in self.files:
            if file.kind == "junit":
                self.write(terminal, file, junit.junit(self.verb, junit.cases_of_outcomes(outcomes)))
            else:
                self.write(terminal, file, dotenv(outputs_of(outcomes, exit_code)))

    def checked(self, terminal: Terminal, checked: Sequence[Checked]) -> None:
        """UsageError when a report cannot be written."""
        findings = findings_of_checks(checked)
        self.annotate(terminal, findings)
        for file in self.files:
            if file.kind == "junit":
                file.write(junit.junit(self.verb, junit.cases_of_checks(checked)))
            else:
                file.write(self.sarif(findings))

    def plans(self, terminal: Terminal, plans: Sequence[Plan]) -> None:
        """UsageError when a report cannot be written."""
        findings = [f for p in plans for f in findings_of_issues(p.service.name, p.issues, backend=p.backend)]
        self.annotate(terminal, findings)
        for file in self.files:
            from orchctl.cli.ci.comment import comment

            file.write(comment(plans))

    def annotate(self, terminal: Terminal, findings: Sequence[Finding]) -> None:
        if self.has_github and terminal.progress != "json":
            wanted = [f for f in findings if f.level == "error" or not terminal.quiet]
            annotate(terminal.err, wanted, partial(in_repository, environ=self.environ))

    def publish(self, terminal: Terminal, outcomes: Sequence[Outcome], exit_code: int) -> None:
        """The summary and the outputs of the step."""
        if self.has_github:
            outputs = outputs_of(outcomes, exit_code)
            self._append(terminal, "GITHUB_STEP_SUMMARY", self._summary(outcomes))
            self._append(terminal, "GITHUB_OUTPUT", github_outputs(outputs, f"orchctl_{secrets.token_hex(16)}"))

    def write(self, terminal: Terminal, file: ReportFile, text: str) -> None:
        """A warning when it cannot be written."""
        try:
            file.write(text)
        except UsageError as error:
            terminal.complain(f"warning: {error}", "warning")

    def sarif(self, findings: Sequence[Finding]) -> str:
        from orchctl.cli.ci.sarif import sarif

        return sarif(findings, partial(in_repository, environ=self.environ))

    def _summary(self, outcomes: Sequence[Outcome]) -> str:
        file = self.environ.get("GITHUB_STEP_SUMMARY", "")
        used = os.path.getsize(file) if os.path.isfile(file) else 0
        return summary(self.verb, outcomes, most_bytes=MOST_BYTES - used)

    def _append(self, terminal: Terminal, variable: str, text: str) -> None:
        if name := self.environ.get(variable):
            try:
                with open(name, "a", encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                terminal.complain(f"warning: {variable} cannot be written: {error.strerror}", "warning")
