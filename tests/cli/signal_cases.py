"""A case of signals and what it must show, whatever the backend: where the run stands, what comes, how it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from tests.cli.runs import Run
from tests.pace import promised

_WITHIN_S = 5.0


class Kind(Enum):
    """What comes, and the signal that the exit code names."""

    INT = signal.SIGINT
    TERM = signal.SIGTERM
    HUP = signal.SIGHUP
    PIPE = signal.SIGPIPE
    """Nobody reads either stream any more."""
    STOP = signal.SIGTSTP
    """Ctrl-Z, and later SIGCONT."""
    TWICE = "twice"
    """Ctrl-C, and Ctrl-C again while a request does not return."""


@dataclass(frozen=True)
class Case:
    """``stop_at``: the request, and which of its kind, at which the run stands when the signal comes."""

    verb: str
    phase: str
    stop_at: str
    kind: Kind
    terminal: bool

    def __str__(self) -> str:
        return f"{self.verb}-{self.phase}-{self.kind.name}-{'terminal' if self.terminal else 'pipes'}"

    @property
    def output(self) -> tuple[str, ...]:
        """Something is still to be written when nobody reads any more."""
        return ("-o", "json") if self.kind is Kind.PIPE else ()

    @property
    def code(self) -> int:
        """The exit code."""
        if self.kind is Kind.TWICE:
            return 128 + signal.SIGINT
        if self.kind is Kind.PIPE:
            return 128 + signal.SIGPIPE
        if self.kind is Kind.STOP:
            return 8 if self.phase == "rollback" else 0
        return 0 if self.phase == "after" else 128 + int(self.kind.value)


def deploy_cases(phases: Mapping[str, str]) -> Iterator[Case]:
    """``phases``: where a deploy stands in each of them."""
    for phase, stop_at in phases.items():
        for kind in Kind:
            yield from (Case("deploy", phase, stop_at, kind, terminal) for terminal in (True, False))


def endure(run: Run, case: Case, other: Run | None) -> None:
    """The run stands at its place, the signal comes, and it ends as it must: in time, with its code, and tidily.

    ``other`` holds the lease that the run waits for.
    """
    run.reach()
    with promised(_WITHIN_S):
        _strike(run, case.kind, other)
        code = run.end()
    assert code == case.code, run.err
    assert "Traceback" not in run.err + run.out
    assert "\x1b[?" not in run.err  # the cursor was never hidden, the screen never switched
    assert case.terminal or "\x1b" not in run.err
    assert run.modes_after == run.modes_before


def kill(other: Run) -> None:
    """As its machine would lose it."""
    if other.code is None:
        other.send(signal.SIGKILL)
        other.end()


def _strike(run: Run, kind: Kind, other: Run | None) -> None:
    if kind is Kind.TWICE:
        run.send(signal.SIGINT)
        run.answered()
        run.send(signal.SIGINT)
        return
    if kind is Kind.PIPE:
        run.hang_up()
    else:
        run.send(kind.value)
    if kind is Kind.STOP:
        run.stopped()
        run.send(signal.SIGCONT)
    if other is not None and kind in (Kind.STOP, Kind.PIPE):  # these do not end it: it waits until it is its turn
        kill(other)
    run.go()
