"""Who hears of a command besides its terminal: a CI service, and the files of --report. Imports what serves them only then."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, TextIO, cast

from orchctl.errors import OrchctlError

if TYPE_CHECKING:
    from orchctl.cli.ci.audience import Audience
    from orchctl.cli.ci.files import ReportFile

_SERVICES = ("GITHUB_ACTIONS", "GITLAB_CI")


def audience_of(verb: str, reports: Sequence[str]) -> Audience | None:
    """None when nobody listens; UsageError for a report that cannot be written."""
    if not reports and not _in_ci():
        return None
    from orchctl.cli.ci.files import report_files

    return _audience(verb, report_files(verb, reports))


def tell_failure(error: OrchctlError, arguments: Sequence[str]) -> None:
    """The command ended with ``error`` instead of outcomes."""
    reports = list(_reports(arguments))
    if reports or _in_ci():
        from orchctl.cli.ci.failure import tell
        from orchctl.cli.ci.files import usable_files
        from orchctl.cli.command import talks_json
        from orchctl.cli.options import Talk
        from orchctl.cli.terminal import terminal_of

        verb = arguments[0]
        talk = Talk(progress="json" if talks_json(arguments) else "auto")
        tell(error, _audience(verb, usable_files(verb, reports)), terminal_of(talk, "text"))


@contextmanager
def defused() -> Iterator[None]:
    """Within, nothing that is printed can be a command to the runner of GitHub Actions."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        yield
        return
    from orchctl.cli.ci.defused import Defused

    out, err = (cast("TextIO", Defused(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield


def _audience(verb: str, files: Sequence[ReportFile]) -> Audience:
    from orchctl.cli.ci.audience import Audience
    from orchctl.cli.ci.files import WRITES

    return Audience(verb=verb, writes=verb in WRITES, environ=os.environ, files=files)


def _in_ci() -> bool:
    return any(os.environ.get(name) == "true" for name in _SERVICES)


def _reports(arguments: Sequence[str]) -> Iterator[str]:
    """The values of --report, also when the command line cannot be read further."""
    for word, after in zip(arguments, [*arguments, ""][1:], strict=True):
        if word == "--":
            return
        if word == "--report" and after:
            yield after
        elif word.startswith("--report="):
            yield word.removeprefix("--report=")
