"""The frame of every writing verb: lease, journal, writer; all given back whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from orchctl.core.backend import Live, Writer
from orchctl.core.rollout import EventKind
from orchctl.engine.history import Records
from orchctl.engine.journal import INTENT, Journal, open_journal
from orchctl.engine.lease import Lease, LeaseInfo, acquire
from orchctl.engine.publish import Publisher
from orchctl.engine.session import Session
from orchctl.errors import NotFound, OrchctlError, UsageError

T = TypeVar("T")

LOCK_TIMEOUT_MS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long an operation may take. ``timeout_ms`` None = as long as the rollout's own deadline."""

    timeout_ms: int | None = None
    lock_timeout_ms: int = LOCK_TIMEOUT_MS
    wait: bool = True

    def give_up_at(self, session: Session) -> float | None:
        """The clock's reading at which the command's ``timeout_ms`` is over: one for all of its services and locks."""
        since = session.started if session.asked is None else session.asked
        return None if self.timeout_ms is None else since + self.timeout_ms / 1000

    def lock_ms(self, session: Session) -> int:
        """How long to wait for another holder: no longer than the command may take."""
        end = self.give_up_at(session)
        left = self.lock_timeout_ms if end is None else int((end - session.clock.now()) * 1000)
        return max(0, min(self.lock_timeout_ms, left))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb at work on one service, under its lease."""

    session: Session
    namespace: str
    name: str
    lease: Lease
    writer: Writer
    records: Records
    journal: Journal
    publisher: Publisher
    give_up_at: float | None
    lock_timeout_ms: int = LOCK_TIMEOUT_MS

    def step(self, name: str, text: str, facts: Mapping[str, Any] | None = None, *, usual_ms: int = 0) -> None:
        """Journal it, then say it. Only before the first write may a full disk refuse: afterwards it is told, and what was
        begun is brought to its end."""
        try:
            self.journal.step(name, self.session.clock.wall(), facts)
        except UsageError as error:
            if name == INTENT and not self.journal.has_intent:
                raise
            self.session.tell(EventKind.PROBLEM, self.name, str(error))
        self.session.tell(EventKind.STEP, self.name, text, usual_ms=usual_ms)

    def live(self) -> Live | None:
        """The definition as it is now."""
        return self.session.reader.live(self.namespace, [self.name]).get(self.name)

    def fence(self) -> None:
        """Before a write to the store."""
        self.lease.check()


@contextmanager
def operation(session: Session, namespace: str, name: str, verb: str, limits: Limits) -> Iterator[Operation]:
    """Take the lease (waiting for another holder as long as ``limits`` say) and open the journal."""
    give_up_at = limits.give_up_at(session)

    def waiting(other: LeaseInfo) -> None:
        session.tell(EventKind.WAITING, name, f"waiting for {other}")

    lease = acquire(
        session.store,
        namespace=namespace,
        name=name,
        holder=session.holder,
        clock=session.clock,
        timeout_ms=limits.lock_ms(session),
        on_wait=waiting,
    )
    if lease.is_uncertain:
        text = (
            "the lease of a deployer that died was taken over without compare-and-set: let nobody else do the same now"
        )
        session.tell(EventKind.PROBLEM, name, text)
    give_back = lease.release
    try:
        journal = open_journal(
            session.context,
            namespace=namespace,
            name=name,
            verb=verb,
            token=session.holder.token,
            at=session.clock.wall(),
        )
        publisher = Publisher(session, namespace, name)
        try:
            yield Operation(
                session=session,
                namespace=namespace,
                name=name,
                lease=lease,
                writer=session.connection.writer(lease),
                records=Records(session.store, namespace, name, session.clock),
                journal=journal,
                publisher=publisher,
                give_up_at=give_up_at,
                lock_timeout_ms=limits.lock_timeout_ms,
            )
        except NotFound:
            if not journal.has_intent:  # a mistyped name leaves nothing that looks like a service
                journal.discard()
                give_back = lease.remove
            raise
        finally:
            publisher.close()
            journal.close()
    finally:
        give_back()


def quietly(action: Callable[[], T], op: Operation, text: str) -> T | None:
    """Tidy up after the result is known: an error is told, None, and does not change the result."""
    try:
        return action()
    except OrchctlError as error:
        op.session.tell(EventKind.PROBLEM, op.name, f"{text}: {error}")
        return None
