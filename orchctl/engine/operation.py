"""The frame of every writing verb: lease, journal, writer; all given back whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from orchctl.core.backend import Live, Writer
from orchctl.core.rollout import EventKind, Handle
from orchctl.engine.clock import patiently
from orchctl.engine.history import Records
from orchctl.engine.journal import INTENT, Journal, open_journal
from orchctl.engine.lease import Lease, LeaseInfo, acquire
from orchctl.engine.publish import Publisher
from orchctl.engine.session import Session
from orchctl.errors import (
    AuthRefused,
    Conflict,
    Locked,
    NotFound,
    OrchctlError,
    OutcomeUnknown,
    StalePlan,
    Unreachable,
    UsageError,
)

T = TypeVar("T")

LOCK_TIMEOUT_MS = 300_000
_STALE_TRIES = 8
_READ_BACK_S = 30.0
_LOCKED_LOOK_S = 0.5


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A conditional write of a service's definition, and how to tell that it arrived.

    ``send`` makes it conditional on the version given. ``arrived`` looks at a live definition.
    ``unmoved`` says that somebody's change since our read left alone what we are about to change.
    """

    send: Callable[[str], Handle]
    arrived: Callable[[Live | None], Handle | None]
    unmoved: Callable[[Live | None], bool]


def send(op: Operation, write: Write, expect: str, what: str) -> Handle:
    """Send once; read back when the answer was lost; re-read and go on when only the version moved.

    Swarm's own updater moves the version during a rollout (moby/swarmkit#1379), so a moved version alone
    is no conflict. Conflict when our own fields changed meanwhile.
    """
    lost: OutcomeUnknown | None = None
    for attempt in range(_STALE_TRIES):
        op.step(INTENT, what, {"expect": expect, "attempt": attempt})
        try:
            handle = _when_free(op, partial(write.send, expect))
        except StalePlan as stale:
            live = op.live()
            if done := write.arrived(live):
                handle = done
            elif write.unmoved(live):
                expect = live.expect if live else ""
                op.session.clock.sleep(0.05 * (attempt + 1))
                continue
            else:
                raise Conflict(
                    f"service {op.name!r} was changed by somebody else since it was read: {stale}",
                    hint="look at the difference with: orchctl plan",
                ) from stale
        except OutcomeUnknown as unknown:
            live = _read_back(op, unknown)
            if done := write.arrived(live):
                handle = done
            elif (live.expect if live else "") == expect or write.unmoved(live):
                # Not there, and should it still come, then it is refused: the next attempt moves the version.
                expect, lost = live.expect if live else "", unknown
                op.session.clock.sleep(0.05 * (attempt + 1))
                continue
            else:
                raise
        op.step("confirmed", f"{what}: sent", {"ref": handle.ref, "template_hash": handle.template_hash})
        return handle
    if lost is not None:
        raise lost
    raise StalePlan(
        f"service {op.name!r} keeps changing on the backend; gave up after {_STALE_TRIES} attempts",
        hint="see who else writes to it, then run the same command again",
    )


def _when_free(op: Operation, action: Callable[[], Handle]) -> Handle:
    """``action``, tried again while the backend works on the object for somebody else: as long as one waits for another
    deployer, and not beyond ``--timeout``. Locked, with the names of that work, when it does not end."""
    clock = op.session.clock
    until = clock.now() + op.lock_timeout_ms / 1000
    until = until if op.give_up_at is None else min(until, op.give_up_at)
    told: tuple[str, ...] | None = None
    while True:
        try:
            return action()
        except Locked as locked:
            if clock.now() >= until:
                raise
            if locked.by != told:
                op.session.tell(EventKind.WAITING, op.name, f"waiting: {locked}")
            told = locked.by
        clock.sleep(min(_LOCKED_LOOK_S, max(0.0, until - clock.now())))


def _read_back(op: Operation, unknown: OutcomeUnknown) -> Live | None:
    """The definition after a lost answer, however often it takes within half a minute."""
    try:
        return patiently(op.live, op.session.clock, _READ_BACK_S)
    except (Unreachable, AuthRefused) as error:
        raise unknown from error


def quietly(action: Callable[[], T], op: Operation, text: str) -> T | None:
    """Tidy up after the result is known: an error is told, None, and does not change the result."""
    try:
        return action()
    except OrchctlError as error:
        op.session.tell(EventKind.PROBLEM, op.name, f"{text}: {error}")
        return None
