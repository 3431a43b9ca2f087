"""``--report KIND=FILE``: which reports are asked for, whether they can be written, and writing them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchctl.cli.configuration import working_directory
from orchctl.core.files import replace_file, try_writing
from orchctl.errors import UsageError

WRITES = ("deploy", "scale", "rollback", "restart", "delete")
"""The verbs that end with outcomes."""

KINDS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(WRITES, ("junit", "dotenv")),
    "validate": ("junit", "sarif"),
    "plan": ("markdown",),
}
"""What each verb can report."""


@dataclass(frozen=True, slots=True)
class ReportFile:
    """``name`` as the user wrote it."""

    kind: str
    name: str

    @property
    def path(self) -> Path:
        return Path(os.path.realpath(working_directory() / self.name))

    def check(self) -> None:
        """UsageError when it could not be written; leaves nothing behind."""
        try:
            if self.path.exists() and not self.path.is_file():
                raise UsageError(f"the report cannot be written to {self.name}: it is no regular file")
            try_writing(self.path)
        except OSError as error:
            raise self._failure(error) from None

    def write(self, text: str) -> None:
        """All or nothing; UsageError when it cannot be written."""
        try:
            replace_file(self.path, text.encode("utf-8"))
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> UsageError:
        return UsageError(f"the report cannot be written to {self.name}: {error.strerror}")


def report_files(verb: str, words: Sequence[str]) -> tuple[ReportFile, ...]:
    """Checked: wrong words and files that cannot be written are UsageErrors."""
    files = tuple(_parse(verb, word) for word in words)
    for file in files:
        file.check()
    return files


def usable_files(verb: str, words: Sequence[str]) -> tuple[ReportFile, ...]:
    """Those of ``words`` that are right, for a command that has failed already."""
    found: list[ReportFile] = []
    for word in words:
        try:
            found += report_files(verb, [word])
        except UsageError:
            continue
    return tuple(found)


def _parse(verb: str, word: str) -> ReportFile:
    kind, _, name = word.partition("=")
    kinds = KINDS.get(verb, ())
    if kind not in kinds or not name:
        raise UsageError(
            f"{word!r} is no report of {verb}", hint=f"write: {' or '.join(f'--report {k}=FILE' for k in kinds)}"
        )
    return ReportFile(kind, name)
