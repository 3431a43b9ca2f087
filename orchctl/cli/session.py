"""Opens a Session for a verb: backend, connection, clock, holder, and who hears the Events."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from orchctl.cli.command import command_line, resume_hint
from orchctl.cli.interruption import StoppableClock, stoppable
from orchctl.cli.reporter import Reporter
from orchctl.cli.terminal import Terminal
from orchctl.core import registry
from orchctl.core.context import Context
from orchctl.core.rollout import Event
from orchctl.engine.clock import SystemClock
from orchctl.engine.holder import this_process
from orchctl.engine.session import Session


@contextmanager
def opened(context: Context) -> Iterator[Session]:
    """A Session that only looks: Ctrl-C ends the command at once, Events are not heard. ``changing`` makes it write."""
    backend, clock = registry.load(context.backend), SystemClock()
    with backend.connect(context) as connection:
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
        )


@contextmanager
def changing(session: Session, terminal: Terminal) -> Iterator[tuple[Session, Reporter]]:
    """The frame of a verb that writes: signals stop it in order, events are shown."""
    clock = StoppableClock()
    reporter = Reporter(terminal, clock, started=session.started)
    with stoppable(clock, resume_hint()), reporter:
        yield replace(session, clock=clock, say=reporter.say), reporter


def announce(terminal: Terminal, session: Session, namespace: str) -> None:
    """The first line on stderr of everything that writes: where."""
    context = session.context
    protected = ", protected" if context.protected else ""
    place = f"{session.backend.name} at {session.connection.endpoint}"
    terminal.say(f"{place}, namespace {namespace}, context {context.name}{protected}", "dim")


def _ignore(_event: Event) -> None:
    """Nobody listens."""
