"""What there is to know about a failure, collected before anything is undone."""

from __future__ import annotations

from collections.abc import Sequence

from orchctl.core.codec import to_plain
from orchctl.core.rollout import EventKind, Failure, Instance, InstanceState, Outcome, OutcomeState
from orchctl.core.service import Service
from orchctl.engine import journal
from orchctl.engine.session import Session
from orchctl.engine.verdict import Culprit
from orchctl.engine.wait import Waited
from orchctl.errors import OrchctlError, RolloutFailed

_LOG_LINES = 20
_LONGEST_LINE = 500
_INSTANCES_READ = 3  # one crash is like the other; three show whether they are


def collect(session: Session, namespace: str, name: str, culprits: Sequence[Culprit]) -> tuple[Failure, ...]:
    """One Failure for each distinct problem, with the last lines of its first instances' output."""
    grouped: dict[tuple[str, str], list[Culprit]] = {}
    for culprit in culprits:
        grouped.setdefault((culprit.problem.kind.value, culprit.problem.message), []).append(culprit)
    return tuple(_failure(session, namespace, name, group) for group in grouped.values())


def gathered(session: Session, service: Service, revision: int, waited: Waited) -> tuple[Failure, ...]:
    """Collected, told, and kept under the state directory, where ``why`` reads it: the first thing after a bad verdict."""
    namespace, name = service.namespace, service.name
    failures = collect(session, namespace, name, waited.verdict.culprits)
    for failure in failures:
        session.tell(EventKind.PROBLEM, name, f"{failure.kind.value}: {failure.message}")
    document = {"at": session.clock.wall(), "failures": to_plain(failures), "progress": to_plain(waited.progress)}
    try:
        journal.write_evidence(session.context, namespace=namespace, name=name, revision=revision, document=document)
    except OSError as error:  # a full disk must not hide the failure
        session.tell(EventKind.PROBLEM, name, f"the evidence could not be kept: {error.strerror}")
    return failures


def not_ready(session: Session, service: Service, revision: int, waited: Waited, text: str) -> Outcome:
    """An operation that made no revision and did not converge: evidence kept, nothing undone."""
    failures = gathered(session, service, revision, waited)
    return failed(session, service.name, revision, f"{text}: {summary(failures)}", failures)


def failed(session: Session, name: str, revision: int, text: str, failures: Sequence[Failure]) -> Outcome:
    """The Outcome of what failed and was left as it is."""
    return Outcome(
        service=name,
        state=OutcomeState.FAILED,
        revision=revision,
        exit_code=RolloutFailed.exit_code,
        error_code=RolloutFailed.code,
        duration_ms=session.elapsed_ms(),
        message=text,
        hint=f"see the cause with: orchctl why {name}",
        failures=tuple(failures),
    )


def summary(failures: Sequence[Failure]) -> str:
    """One line: the first failure, and how many more there are."""
    if not failures:
        return ""
    first = failures[0]
    last_words = f": {first.logs[-1].strip()}" if first.logs else ""
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return f"{first.kind.value}: {first.message}{last_words}{more}"


def _failure(session: Session, namespace: str, name: str, group: Sequence[Culprit]) -> Failure:
    problem, instances = group[0].problem, [c.instance for c in group if c.instance]
    first = instances[0] if instances else None
    return Failure(
        kind=problem.kind,
        message=problem.message,
        instance=first.id if first else "",
        node=first.node if first else "",
        exit_code=problem.exit_code,
        logs=_first_output(session, namespace, name, instances[:_INSTANCES_READ]),
        count=len(group),
    )


def _first_output(session: Session, namespace: str, name: str, instances: Sequence[Instance]) -> tuple[str, ...]:
    for instance in instances:
        if instance.state is InstanceState.PENDING and not instance.log_id:
            continue  # it never ran
        if lines := _tail(session, namespace, name, instance.log_id or instance.id):
            return lines
    return ()


def _tail(session: Session, namespace: str, name: str, instance: str) -> tuple[str, ...]:
    """The last lines; nothing when they cannot be read: evidence must not hide the failure itself."""
    try:
        lines = session.reader.logs(namespace, name, instance=instance, tail=_LOG_LINES)
        return tuple(line.text[:_LONGEST_LINE] for line in lines)[-_LOG_LINES:]
    except OrchctlError:
        return ()
