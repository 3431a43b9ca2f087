"""Everything that can go wrong, and the exit code each failure has.

::

    OrchctlError                    1  a bug of ours
      BackendBug                    1  an adapter let a foreign exception escape
      UsageError                    2  flags, arguments, configuration
        SpecError                   2  the service spec, with file, line and column
        UnsupportedFeature          2  the backend cannot do what the spec asks (all refusals at once)
        BackendUnavailable          2  unknown backend name, or its SDK is not installed
      NotFound                      4
      Conflict                      5
        AlreadyExists               5  create-if-absent found something there
        StalePlan                   5  the live object moved since it was read
        LeaseHeld                   5  another deployer holds the lease
        LeaseLost                   5  our lease was taken over, or could not be renewed
        ForeignObject               5  an object of that name exists and is not ours
      WaitTimeout                   6  --timeout reached, the rollout goes on
      RolloutFailed                 7  failed, left as it is
        RolledBack                  8  failed, and the last good revision runs again
      Unreachable                   9  connect, DNS, TLS, time-out
        OutcomeUnknown              9  a write was sent and no answer came: read back, never resend
      AuthRefused                  10
      PartialFailure               11  several services, not all done
      Interrupted              128+n   a signal

0 (done) and 3 (changes pending) are values, not exceptions: nothing failed.

Attributes carry the facts and ``__str__`` makes the sentence, so that tests match attributes.
The codes are public and stable (reproduced by ``orchctl help exit-codes``).
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_OK = 0
EXIT_CHANGES_PENDING = 3


class OrchctlError(Exception):
    """Base of every error that orchctl raises on purpose.

    ``temporary`` says that the same call may succeed later; ``hint`` is the sentence that tells
    the user what to do.
    """

    exit_code = 1
    code = "E0001"
    temporary = False

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message or type(self).__name__


class BackendBug(OrchctlError):
    """An exception that an adapter should have mapped; ``cause`` is the original."""

    code = "E0002"

    def __init__(self, adapter: str, cause: BaseException) -> None:
        super().__init__(
            f"the {adapter} adapter failed unexpectedly: {type(cause).__name__}: {cause}",
            hint="this is a bug in orchctl; please report it with the output of -v",
        )
        self.adapter = adapter
        self.cause = cause


class UsageError(OrchctlError):
    exit_code = 2
    code = "E0100"


class ConfigError(UsageError):
    """The configuration file, with its path and, where known, the line."""

    code = "E0101"

    def __init__(self, message: str, *, file: str = "", line: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line


class UnknownContext(UsageError):
    code = "E0102"


class ConfirmationRequired(UsageError):
    """A destructive verb without a terminal and without ``--yes``."""

    code = "E0103"


class SpecError(UsageError):
    """One problem in a spec file. ``line`` and ``column`` count from 1; 0 = unknown.

    ``source_line`` is the text of the line, for the caret; ``problems`` holds further errors of
    the same run, so that a user sees all of them at once.
    """

    code = "E0200"

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        source_line: str = "",
        hint: str = "",
        code: str = "",
        problems: Sequence[SpecError] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line
        self.column = column
        self.source_line = source_line
        self.problems = tuple(problems)
        if code:
            self.code = code

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.file and self.line else ""
        return f"{place}{self.message}"


class UnsupportedFeature(UsageError):
    """The spec asks for what the backend cannot do; ``refusals`` are (path, reason) pairs."""

    code = "E0300"

    def __init__(self, service: str, backend: str, refusals: Sequence[tuple[str, str]]) -> None:
        lines = "; ".join(f"{path}: {reason}" for path, reason in refusals)
        super().__init__(f"{backend} cannot run service {service!r} as written: {lines}")
        self.service = service
        self.backend = backend
        self.refusals = tuple(refusals)


class BackendUnavailable(UsageError):
    code = "E0301"


class NotFound(OrchctlError):
    exit_code = 4
    code = "E0400"


class Conflict(OrchctlError):
    exit_code = 5
    code = "E0500"


class AlreadyExists(Conflict):
    code = "E0501"


class StalePlan(Conflict):
    code = "E0502"
    temporary = True


class LeaseHeld(Conflict):
    code = "E0503"
    temporary = True


class LeaseLost(Conflict):
    code = "E0504"


class ForeignObject(Conflict):
    code = "E0505"


class WaitTimeout(OrchctlError):
    exit_code = 6
    code = "E0600"


class RolloutFailed(OrchctlError):
    exit_code = 7
    code = "E0700"


class RolledBack(RolloutFailed):
    exit_code = 8
    code = "E0800"


class Unreachable(OrchctlError):
    exit_code = 9
    code = "E0900"
    temporary = True


class OutcomeUnknown(Unreachable):
    code = "E0901"


class AuthRefused(OrchctlError):
    exit_code = 10
    code = "E1000"


class PartialFailure(OrchctlError):
    exit_code = 11
    code = "E1100"


class Interrupted(OrchctlError):
    """A signal asked us to stop; ``signum`` decides the exit code (128 + n)."""

    code = "E1200"

    def __init__(self, signum: int, message: str = "", *, hint: str = "") -> None:
        super().__init__(message or "interrupted", hint=hint)
        self.signum = signum
        self.exit_code = 128 + signum
