"""One conditional write of a definition: sent once, read back when its answer was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from orchctl.core.backend import Live
from orchctl.core.rollout import EventKind
from orchctl.engine.clock import patiently
from orchctl.engine.journal import INTENT
from orchctl.engine.operation import Operation
from orchctl.errors import AuthRefused, Conflict, Locked, OutcomeUnknown, StalePlan, Unreachable

T = TypeVar("T")

_STALE_TRIES = 8
_READ_BACK_S = 30.0
_LOCKED_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Generic[T]):
    """A write of a service's definition, and how to tell that it arrived.

    Each looks at a live definition: ``send`` makes the write conditional on that one's version. ``arrived``: what ``send``
    would have returned, None = it is not there. ``unmoved``: somebody's change since our read left alone what we are about
    to change.
    """

    send: Callable[[Live | None], T]
    arrived: Callable[[Live | None], T | None]
    unmoved: Callable[[Live | None], bool]


def version_of(live: Live | None) -> str:
    """What to make a write conditional on; "" = that there is nothing."""
    return live.expect if live else ""


def send(op: Operation, write: Write[T], live: Live | None, what: str) -> T:
    """Send once, conditional on ``live``; read back when the answer was lost; re-read and go on when only the version moved.

    Swarm's own updater moves the version during a rollout (moby/swarmkit#1379), so a moved version alone
    is no conflict. Conflict when our own fields changed meanwhile.
    """
    lost: OutcomeUnknown | None = None
    for attempt in range(_STALE_TRIES):
        op.step(INTENT, what, {"expect": version_of(live), "attempt": attempt})
        try:
            sent = _when_free(op, partial(write.send, live))
        except StalePlan as stale:
            live = op.live()
            if (done := write.arrived(live)) is not None:
                sent = done
            elif write.unmoved(live):
                op.session.clock.sleep(0.05 * (attempt + 1))
                continue
            else:
                raise Conflict(
                    f"service {op.name!r} was changed by somebody else since it was read: {stale}",
                    hint="look at the difference with: orchctl plan",
                ) from stale
        except OutcomeUnknown as unknown:
            before, live = live, _read_back(op, unknown)
            if (done := write.arrived(live)) is not None:
                sent = done
            elif version_of(live) == version_of(before) or write.unmoved(live):
                # Not there, and should it still come, then it is refused: the next attempt moves the version.
                lost = unknown
                op.session.clock.sleep(0.05 * (attempt + 1))
                continue
            else:
                raise
        op.step("confirmed", f"{what}: sent")
        return sent
    if lost is not None:
        raise lost
    raise StalePlan(
        f"service {op.name!r} keeps changing on the backend; gave up after {_STALE_TRIES} attempts",
        hint="see who else writes to it, then run the same command again",
    )


def _when_free(op: Operation, action: Callable[[], T]) -> T:
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
