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
        OlderSource                 5  a newer build is deployed (--source-seq)
        FieldConflict               5  another manager of our object has set fields that we set too
        Locked                      5  the backend itself works on the object for somebody else
      WaitTimeout                   6  --timeout reached, the rollout goes on
      RolloutFailed                 7  failed, left as it is
        RolledBack                  8  failed, and the last good revision runs again
      Unreachable                   9  connect, DNS, TLS, time-out
        OutcomeUnknown              9  a write was sent and no answer came: read back, never resend
      AuthRefused                  10
      PartialFailure               11  not all done: some of several services, or the entries in a catalog
      Interrupted              128+n   a signal

0 (done) and 3 (changes pending) are values, not exceptions: nothing failed.

Attributes carry the facts and ``__str__`` makes the sentence, so that tests match attributes.
The codes are public and stable (reproduced by ``orchctl help exit-codes``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

EXIT_OK = 0
EXIT_CHANGES_PENDING = 3


class OrchctlError(Exception):
    """Something that was not foreseen: a full disk, a directory of somebody else, or a bug of ours (then -v shows where).

    Also the base of every error that orchctl raises on purpose. ``temporary`` says that the same call may succeed later; ``hint`` is the sentence that tells
    the user what to do. ``service``: the one it is about, where that is known.
    """

    exit_code = 1
    code = "E0001"
    temporary = False
    service = ""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message or type(self).__name__


class BackendBug(OrchctlError):
    """A backend's adapter failed in a way that it should have put into words; please report it with the output of -v.

    ``cause`` is the original.
    """

    code = "E0002"

    def __init__(self, adapter: str, cause: BaseException) -> None:
        super().__init__(
            f"the {adapter} adapter failed unexpectedly: {type(cause).__name__}: {cause}",
            hint="this is a bug in orchctl; please report it with the output of -v",
        )
        self.adapter = adapter
        self.cause = cause


class UsageError(OrchctlError):
    """The command line is wrong, or does not fit what it is used on; nothing was sent."""

    exit_code = 2
    code = "E0100"


class ConfigError(UsageError):
    """The configuration cannot be read or says what is not known; the message has the file and, where known, the line."""

    code = "E0101"

    def __init__(self, message: str, *, file: str = "", line: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line


class UnknownContext(UsageError):
    """No configuration file has a context of that name; ``orchctl context ls`` lists those there are."""

    code = "E0102"


class ConfirmationRequired(UsageError):
    """The verb asks before it goes on, and nobody agreed: say yes at the terminal, or give --yes."""

    code = "E0103"


class QueryError(UsageError):
    """The expression of --query cannot be read, or does not fit the document.

    ``column`` counts from 1; 0 = unknown.
    """

    code = "E0104"

    def __init__(self, message: str = "", *, expression: str = "", column: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.source_line = expression
        self.line = 1 if column else 0
        self.column = column


class SpecError(UsageError):
    """Something is wrong in a spec file; the message has the place.

    ``line`` and ``column`` count from 1; 0 = unknown.

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
    """The spec asks for what the backend cannot do; change these fields, or choose another backend.

    ``refusals`` are (path, reason) pairs.
    """

    code = "E0300"

    def __init__(self, service: str, backend: str, refusals: Sequence[tuple[str, str]]) -> None:
        lines = "; ".join(f"{path}: {reason}" for path, reason in refusals)
        super().__init__(f"{backend} cannot run service {service!r} as written: {lines}")
        self.service = service
        self.backend = backend
        self.refusals = tuple(refusals)


class BackendUnavailable(UsageError):
    """There is no backend of that name, or its Python package is not installed; ``orchctl doctor`` says which."""

    code = "E0301"


class NotFound(OrchctlError):
    """There is no such service, revision, instance or document; ``orchctl status`` shows what there is."""

    exit_code = 4
    code = "E0400"


class Conflict(OrchctlError):
    """Somebody else has changed the same thing in the meantime; look at it with ``orchctl plan`` and run the command again."""

    exit_code = 5
    code = "E0500"


class AlreadyExists(Conflict):
    """What was to be made exists already: somebody else was quicker."""

    code = "E0501"


class StalePlan(Conflict):
    """The live definition has changed since the plan was made; make a new plan."""

    code = "E0502"
    temporary = True


class LeaseHeld(Conflict):
    """Another command is changing the service; wait for it, or see who it is with ``orchctl lock show``."""

    code = "E0503"
    temporary = True


class LeaseLost(Conflict):
    """The lock was taken over or could not be renewed, so the command stopped writing; run it again."""

    code = "E0504"


class ForeignObject(Conflict):
    """An object of that name exists and was not made by orchctl, which leaves it alone; rename one of them or remove it by hand."""

    code = "E0505"


class FieldConflict(Conflict):
    """Another manager of the same object has set fields to something else than the spec; --force-conflicts takes them.

    ``fields`` are (manager, field) pairs.
    """

    code = "E0506"

    def __init__(self, kind: str, name: str, fields: Sequence[tuple[str, str]]) -> None:
        managers = ", ".join(sorted({manager for manager, _ in fields}))
        paths = ", ".join(path for _, path in fields)
        super().__init__(
            f"{kind} {name!r}: {managers} has set {paths} to something else than the spec",
            hint="let that manager go, take the value into the spec, or take the fields over: --force-conflicts",
        )
        self.fields = tuple(fields)


class OlderSource(Conflict):
    """The build is older than one that was deployed already, by their --source-seq; --allow-older deploys it all the same.

    ``given`` and ``deployed`` are the numbers, ``revision`` is the one that has ``deployed``.
    """

    code = "E0507"

    def __init__(self, service: str, given: int, deployed: int, *, revision: int) -> None:
        super().__init__(
            f"service {service!r}: build {given} is older than build {deployed}, deployed as revision {revision}",
            hint="let the newer build stand, or deploy this one on purpose: --allow-older",
        )
        self.given = given
        self.deployed = deployed
        self.revision = revision


class Locked(Conflict):
    """The backend takes no change of the object while it works on it for somebody else, as Marathon does in a deployment.

    ``by`` are the backend's own ids of that work, () where it does not say.
    """

    code = "E0508"
    temporary = True

    def __init__(self, message: str = "", *, by: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.by = tuple(by)


class WaitTimeout(OrchctlError):
    """--timeout ended the waiting; the rollout goes on, and the same command goes on waiting for it."""

    exit_code = 6
    code = "E0600"


class RolloutFailed(OrchctlError):
    """The new definition did not become healthy and was left as it is; ``orchctl why SERVICE`` shows the cause."""

    exit_code = 7
    code = "E0700"


class RolledBack(RolloutFailed):
    """The new definition did not become healthy, and the last good revision was brought back; ``orchctl why SERVICE`` shows the cause."""

    exit_code = 8
    code = "E0800"


class Unreachable(OrchctlError):
    """The backend did not answer: address, name, certificate, network or time limit; ``orchctl doctor`` looks closer."""

    exit_code = 9
    code = "E0900"
    temporary = True


class OutcomeUnknown(Unreachable):
    """A write was sent and no answer came; run the same command again, which looks first and sends nothing twice."""

    code = "E0901"


class AuthRefused(OrchctlError):
    """The backend refused the credentials, or the right to do this; ``orchctl doctor`` names what is missing."""

    exit_code = 10
    code = "E1000"


class PartialFailure(OrchctlError):
    """Some of several services are done and some are not, or a service runs and could not be registered in its catalog; the
    same command does the rest."""

    exit_code = 11
    code = "E1100"


class Interrupted(OrchctlError):
    """A signal ended the command; what was sent goes on, and the same command goes on watching it.

    ``signum`` decides the exit code (128 + n).
    """

    code = "E1200"

    def __init__(self, signum: int, message: str = "", *, hint: str = "") -> None:
        super().__init__(message or "interrupted", hint=hint)
        self.signum = signum
        self.exit_code = 128 + signum


def attempt(action: Callable[[], T], *accepted: type[OrchctlError]) -> T | None:
    """The result of ``action``, None when it raised one of ``accepted``."""
    try:
        return action()
    except accepted:
        return None
