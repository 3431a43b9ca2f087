"""Opens a Session for a verb: backend, connection, clock, holder, and who hears the Events."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from orchctl.cli.command import command_line, resume_hint
from orchctl.cli.noting import Notes
from orchctl.cli.terminal import Terminal
from orchctl.core import registry, stores
from orchctl.core.context import Context
from orchctl.core.rollout import Event
from orchctl.engine.clock import SystemClock
from orchctl.engine.holder import this_process
from orchctl.engine.session import Session
from orchctl.errors import OrchctlError

if TYPE_CHECKING:
    from orchctl.cli.reporter import Reporter


@contextmanager
def opened(context: Context) -> Iterator[Session]:
    """A Session that only looks: Ctrl-C ends the command at once, Events are not heard. ``changing`` makes it write."""
    backend, clock, notes = registry.load(context.backend), SystemClock(), Notes()
    with stores.connect(backend, context) as connection:
        gc.freeze()  # what starting has made stays; from here on commands may take hours
        gc.enable()
        yield Session(
            backend=backend,
            context=context,
            connection=connection,
            clock=clock,
            holder=this_process(command_line(sys.argv[1:])),
            say=_ignore,
            started=clock.now(),
            watch=notes.watch,
        )
    notes.keep(context)


@contextmanager
def changing(session: Session, terminal: Terminal, services: Sequence[str]) -> Iterator[tuple[Session, Reporter]]:
    """The frame of a verb that writes: signals stop it in order, events are shown, an error knows its service."""
    from orchctl.cli.interruption import StoppableClock, stoppable  # only who writes is stopped in order,
    from orchctl.cli.reporter import Reporter  # and has something to report

    clock = StoppableClock()
    reporter = Reporter(terminal, clock, started=session.started, single=len(services) == 1)
    try:
        with stoppable(clock, resume_hint(sys.argv[1:])), reporter:
            yield replace(session, clock=clock, say=reporter.say, asked=clock.now()), reporter
    except OrchctlError as error:
        if len(services) == 1:
            error.service = services[0]
        raise


def announce(terminal: Terminal, session: Session, namespace: str) -> None:
    """The first line on stderr of everything that writes: where."""
    context = session.context
    protected = ", protected" if context.protected else ""
    place = f"{session.backend.name} at {session.connection.endpoint}"
    terminal.say(f"{place}, namespace {namespace}, context {context.name}{protected}", "dim")


def _ignore(_event: Event) -> None:
    """Nobody listens."""
