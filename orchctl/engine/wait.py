"""Wait until a rollout is done or lost.

Polls are the truth. A failed read never decides: it is tried again with back-off until a deadline.
Two clocks: ``rollout.deadline`` decides that the revision failed, ``--timeout`` only that we stop
watching; the message says which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from orchctl.core.rollout import EventKind, Handle, Instance, InstanceState, Progress
from orchctl.core.service import Service
from orchctl.core.units import counted
from orchctl.engine.clock import Clock
from orchctl.engine.lease import Lease
from orchctl.engine.session import Session
from orchctl.engine.verdict import Judge, State, Verdict
from orchctl.errors import AuthRefused, Conflict, Unreachable, WaitTimeout

_FIRST_LOOKS_S = 0.1
_LATER_LOOKS_S = 0.4
_EAGER_FOR_S = 3.0
_LONGEST_BACKOFF_S = 5.0
_BLIND_S = 30.0
"""How long beyond the deadline a look is tried for: a failed read decides nothing."""
_SHORTEST_LOOK_S, _LONGEST_LOOK_S = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Waited:
    """``verdict`` is GOOD or BAD, never GOING; ``progress`` is the look that decided."""

    verdict: Verdict
    progress: Progress


class Pace:
    """How long to sleep between looks: eager at first, calmer later, backing off while reads fail."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.now()
        self._failures = 0

    def after_look(self) -> float:
        self._failures = 0
        return _FIRST_LOOKS_S if self._clock.now() - self._started < _EAGER_FOR_S else _LATER_LOOKS_S

    def after_failure(self) -> float:
        self._failures += 1
        return min(_LONGEST_BACKOFF_S, 0.1 * (1 << min(self._failures, 8)))


def _nothing(_service: Service, _progress: Progress) -> None:
    """Nobody looks on."""


def wait(
    session: Session,
    handle: Handle,
    service: Service,
    *,
    lease: Lease | None,
    give_up_at: float | None,
    saw: Callable[[Service, Progress], None] = _nothing,
    is_fixed: bool = True,
    is_new: bool = True,
) -> Waited:
    """Poll until the rollout of ``handle`` is decided. ``saw`` gets every look; ``lease`` None where nothing was written.

    ``is_fixed`` False: nobody has said how many there shall be; ``is_new`` False: nothing was written. ``give_up_at`` is the clock's reading at which ``--timeout`` is over: WaitTimeout, with the rollout left
    running. Conflict when somebody else changes the service meanwhile. Interrupted passes through.
    """
    clock, watcher = session.clock, _Watcher(session, handle.service)
    judge = Judge(service, replicas=handle.replicas, is_fixed=is_fixed, is_new=is_new)
    pace, fails_at = Pace(clock), clock.now() + service.rollout.deadline_ms / 1000
    while True:
        _keep(session, lease, until=(fails_at, give_up_at))
        if looked := _look(session, handle, until=(fails_at, give_up_at)):
            _refuse_foreign_change(handle, looked)
            verdict = judge.look(looked, clock.now())
            watcher.saw(looked, verdict)
            saw(service, looked)
            if verdict.state is not State.GOING:
                return Waited(verdict, looked)
        now = clock.now()
        if now >= fails_at and looked:  # an old look says nothing of the present
            return Waited(judge.at_deadline(looked, now), looked)
        if give_up_at is not None and now >= give_up_at:
            raise _timed_out(handle, watcher.waiting_for)
        if now >= fails_at + _BLIND_S:
            raise _timed_out(handle, "the backend cannot be read", clock="rollout.deadline")
        nap = pace.after_look() if looked else pace.after_failure()
        clock.sleep(min((nap, *(t - now for t in (fails_at, give_up_at) if t is not None and t > now))))


def wait_until_gone(session: Session, handle: Handle, *, lease: Lease, give_up_at: float | None) -> None:
    """Poll until neither the definition nor any instance is left; WaitTimeout at ``give_up_at``."""
    clock, pace, watcher = session.clock, Pace(session.clock), _Watcher(session, handle.service)
    while True:
        _keep(session, lease, until=(give_up_at,))
        progress = _look(session, handle, until=(give_up_at,))
        left = [i for i in progress.instances if i.state is not InstanceState.EXITED] if progress else []
        if progress is not None and not progress.template_hash and not left:
            return
        if progress is not None:
            watcher.saw(progress, Verdict(State.GOING, waiting_for=f"{counted(len(left), 'instance')} stopping"))
        if give_up_at is not None and clock.now() >= give_up_at:
            raise _timed_out(handle, watcher.waiting_for)
        nap = pace.after_look() if progress else pace.after_failure()
        clock.sleep(nap if give_up_at is None else min(nap, give_up_at - clock.now()))


def _look(session: Session, handle: Handle, *, until: Sequence[float | None]) -> Progress | None:
    """One poll, not longer than to the first of ``until``; None when the read failed in a way that may pass."""
    try:
        with _patience(session, until):
            return session.reader.poll(handle)
    except (Unreachable, AuthRefused) as error:
        session.tell(EventKind.PROBLEM, handle.service, f"cannot look, trying again: {error}")
        return None


def _keep(session: Session, lease: Lease | None, *, until: Sequence[float | None]) -> None:
    """Renew when due; a store that hangs must not hold the command beyond its deadline, either."""
    if lease is None:
        return
    with _patience(session, until):
        lease.keep()


@contextmanager
def _patience(session: Session, until: Sequence[float | None]) -> Iterator[None]:
    """Within, a read takes no longer than to the first of ``until``."""
    left = min((t - session.clock.now() for t in until if t is not None), default=_LONGEST_LOOK_S)
    session.connection.set_patience(min(_LONGEST_LOOK_S, max(_SHORTEST_LOOK_S, left)))
    try:
        yield
    finally:
        session.connection.set_patience(_LONGEST_LOOK_S)


def _refuse_foreign_change(handle: Handle, progress: Progress) -> None:
    if not progress.template_hash:
        raise Conflict(f"service {handle.service!r} was deleted by somebody else while it was rolled out")
    if progress.template_hash != handle.template_hash:
        raise Conflict(
            f"service {handle.service!r} was changed by somebody else while it was rolled out",
            hint="look at the difference with: orchctl plan",
        )


def _timed_out(handle: Handle, waiting_for: str, *, clock: str = "--timeout") -> WaitTimeout:
    text = f"service {handle.service!r} is still in progress after {clock}"
    return WaitTimeout(
        f"{text}: {waiting_for}" if waiting_for else text,
        hint="it goes on without us; run the same command again to resume waiting",
    )


class _Watcher:
    """Turns looks into Events: one for each change of an instance, one for each look."""

    def __init__(self, session: Session, service: str) -> None:
        self._session = session
        self._service = service
        self._seen: dict[str, str] = {}
        self.waiting_for = ""

    def saw(self, progress: Progress, verdict: Verdict) -> None:
        for instance in progress.instances:
            words = describe(instance)
            if self._seen.get(instance.id) != words:
                self._seen[instance.id] = words
                self._session.tell(EventKind.INSTANCE, self._service, f"{place_of(self._service, instance)} {words}")
        if verdict.waiting_for != self.waiting_for:
            self.waiting_for = verdict.waiting_for
            if self.waiting_for:
                self._session.tell(EventKind.WAITING, self._service, self.waiting_for)
        self._session.tell(EventKind.PROGRESS, self._service, verdict.waiting_for, progress)


def place_of(service: str, instance: Instance) -> str:
    """``web.2`` where slots are numbers; a backend's own name of the slot (``web-5d8f-x7k2q``) as it is."""
    if not instance.slot or instance.slot.startswith(service):
        return instance.slot or instance.id
    return f"{service}.{instance.slot}"


def describe(instance: Instance) -> str:
    """An instance's state in words: ``ready``, ``starting``, ``exited (crashed: ...)``."""
    state = "ready" if instance.ready and instance.state is InstanceState.RUNNING else instance.state.value
    age = "" if instance.current else "old, "
    problem = f" ({instance.problem.kind.value}: {instance.problem.message})" if instance.problem else ""
    times = f", {instance.exits} exits" if instance.exits > 1 else ""
    return f"{age}{state}{times}{problem}"
