"""Everything an operation needs from outside, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchctl.core.backend import Backend, Connection, Reader
from orchctl.core.context import Context
from orchctl.core.rollout import Event, EventKind, Progress
from orchctl.core.store import Store
from orchctl.engine.clock import Clock
from orchctl.engine.holder import Holder


def _as_it_is(store: Store) -> Store:
    return store


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's view of one context. ``watch`` may stand between the engine and every Store it uses.

    ``say`` receives Events and must be callable from several threads. ``started`` is the clock's
    reading at the start of the command. Workers of a wave get a Session with a Connection of
    their own.
    """

    backend: Backend
    context: Context
    connection: Connection
    clock: Clock
    holder: Holder
    say: Callable[[Event], None]
    started: float
    watch: Callable[[Store], Store] = _as_it_is
    asked: float | None = None
    """The clock's reading from which ``--timeout`` counts, where a question was answered before; None = ``started``."""

    @property
    def reader(self) -> Reader:
        return self.connection.reader

    @property
    def store(self) -> Store:
        return self.watch(self.connection.store)

    def elapsed_ms(self) -> int:
        """Milliseconds since the command started."""
        return int((self.clock.now() - self.started) * 1000)

    def tell(
        self, kind: EventKind, service: str, text: str, progress: Progress | None = None, *, usual_ms: int = 0
    ) -> None:
        """Say one Event, stamped."""
        at_ms = self.elapsed_ms()
        self.say(Event(at_ms=at_ms, kind=kind, service=service, text=text, progress=progress, usual_ms=usual_ms))
