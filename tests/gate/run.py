"""Carries out one step: its commands, its tests, and a second chance for what failed on servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.gate import notes
from tests.gate.notes import Failure, Tally
from tests.gate.steps import Command, Step
from tests.rounds import PROFILE

MOST_FLAKY = 3
"""More tests than this that pass only alone, in the whole gate, are red: then it is no accident any more."""
CHANCES = 2
_STEP_SECONDS = 45 * 60 if PROFILE == "gate" else 12 * 3600
"""A step that takes longer hangs: no test may run longer than its own time-out."""
_SILENCE_SECONDS = 60.0
_NO_TESTS = 5


@dataclass
class Result:
    """``trouble``: what went wrong besides tests, a line each. ``flaky``: passed when it ran alone."""

    step: str
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)
    flaky: list[Failure] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def is_red(self) -> bool:
        return bool(self.tally.failures or self.trouble)


def run(step: Step, folder: Path, *, is_required: bool) -> Result:
    """``folder`` takes the notes. ``is_required``: that nothing of it could run here is red."""
    result, began = Result(step.name), time.monotonic()
    for command in step.commands:
        if code := _status(command):
            result.trouble.append(f"{' '.join([Path(command[0]).name, *command[1:]])} ended with {code}")
    if step.marker:
        _test(step, folder, result)
        if is_required and not result.tally.passed and not result.is_red:
            reasons = "; ".join(result.tally.skipped) or "it has no tests"
            result.trouble.append(f"it must run here, and nothing of it did: {reasons}")
    result.seconds = time.monotonic() - began
    return result


def _test(step: Step, folder: Path, result: Result) -> None:
    note = folder / f"{step.name}.jsonl"
    code = _pytest(note, ["-n", str(step.workers), "--dist", "loadgroup", "-m", step.marker, *step.files()])
    result.tally = notes.read(note)
    if code not in (0, 1, _NO_TESTS) or (code == 1 and not result.tally.failures):
        result.trouble.append(f"pytest ended with {code}")
    if step.is_world and 0 < len(result.tally.failures) <= MOST_FLAKY:
        _second_chance(folder, result)


def _second_chance(folder: Path, result: Result) -> None:
    """Each alone, twice at most."""
    for number, failure in enumerate(result.tally.failures.copy()):
        if not failure.again:
            continue
        for chance in range(CHANCES):
            print(
                f"\nalone, chance {chance + 1} of {CHANCES}: {failure.test}\n  it failed with: {failure.reason}",
                flush=True,
            )
            note = folder / f"{result.step}-{number}-{chance}.jsonl"
            if _pytest(note, ["-n", "0", failure.test]) == 0 and notes.read(note).passed:
                result.tally.failures.remove(failure)
                result.tally.passed += 1
                result.flaky.append(failure)
                break


def _pytest(note: Path, words: Sequence[str]) -> int:
    note.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.gate.plugin", *words]
    with _heard(note):
        return _status(command, {notes.VARIABLE: str(note)})


def _status(command: Command, more: dict[str, str] | None = None) -> int:
    """Exit status, in a session of its own: what a signal of the terminal ends is ended here, in order."""
    process = subprocess.Popen(
        command, env=os.environ | (more or {}), stdin=subprocess.DEVNULL, start_new_session=True, restore_signals=True
    )
    try:
        return process.wait(_STEP_SECONDS)
    except subprocess.TimeoutExpired:
        return _end(process, signal.SIGTERM)
    except BaseException:
        _end(process, signal.SIGINT)
        raise


def _end(process: subprocess.Popen[bytes], signum: signal.Signals) -> int:
    """First as a person would, so that servers are stopped; then with everything that it left in its session."""
    process.send_signal(signum)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait() or 1


@contextmanager
def _heard(note: Path) -> Iterator[None]:
    """Say which tests run when nothing was heard for a while."""
    over = threading.Event()

    def listen() -> None:
        size = -1
        while not over.wait(_SILENCE_SECONDS):
            now = note.stat().st_size if note.exists() else 0
            if now == size:
                print(f"\n... still at {', '.join(notes.running(note)) or 'its preparations'}", flush=True)
            size = now

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
