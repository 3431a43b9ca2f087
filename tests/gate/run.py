"""Carries out steps: their commands, their tests, and a second chance for what failed on servers."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.gate import notes
from tests.gate.notes import Failure, Tally
from tests.gate.processes import Processes, say
from tests.gate.steps import Step

MOST_FLAKY = 3
"""More tests than this that pass only alone, in the whole gate, are red: then it is no accident any more."""
CHANCES = 2
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


class Runner:
    """``folder`` takes the notes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes = Processes()

    def run(self, step: Step, *, is_required: bool, label: str = "") -> Result:
        """``is_required``: that nothing of it could run here is red. ``label``: stands before each of its lines."""
        result, began = Result(step.name), time.monotonic()
        for command in step.commands:
            if code := self._processes.status(command, label):
                result.trouble.append(f"{' '.join([Path(command[0]).name, *command[1:]])} ended with {code}")
        if step.marker:
            self._test(step, result, label)
            if is_required and not result.tally.passed and not result.is_red:
                reasons = "; ".join(result.tally.skipped) or "it has no tests"
                result.trouble.append(f"it must run here, and nothing of it did: {reasons}")
        result.seconds = time.monotonic() - began
        return result

    def together(self, steps: Sequence[Step], required: Sequence[str], at_once: int) -> list[Result]:
        """So many steps at the same time, those that take longest first; results in the order of ``steps``."""
        with ThreadPoolExecutor(max(at_once, 1)) as lanes:
            ran = {
                step.name: lanes.submit(self._announced, step, step.name in required, step.name if at_once > 1 else "")
                for step in sorted(steps, key=lambda step: -step.minutes)
            }
            try:
                return [ran[step.name].result() for step in steps]
            except BaseException:
                lanes.shutdown(wait=False, cancel_futures=True)
                self.end()
                raise

    def _announced(self, step: Step, is_required: bool, label: str) -> Result:
        say(f"\n=== {step.name}: {step.says}")
        result = self.run(step, is_required=is_required, label=label)
        if label:
            say(f"=== {step.name}: {'something failed' if result.is_red else 'done'} after {result.seconds:.0f} s")
        return result

    def second_chance(self, result: Result) -> None:
        """Each test of a world that failed, alone, twice at most; many failures are no accident."""
        began = time.monotonic()
        if len(result.tally.failures) > MOST_FLAKY:
            return
        for number, failure in enumerate([one for one in result.tally.failures if one.again]):
            for chance in range(CHANCES):
                say(f"\nalone, chance {chance + 1} of {CHANCES}: {failure.test}\n  it failed with: {failure.reason}")
                note = self._folder / f"{result.step}-{number}-{chance}.jsonl"
                if self._pytest(note, ["-n", "0", failure.test]) == 0 and notes.read(note).passed:
                    result.tally.failures.remove(failure)
                    result.tally.passed += 1
                    result.flaky.append(failure)
                    break
        result.seconds += time.monotonic() - began

    def end(self) -> None:
        self._processes.end()

    def _test(self, step: Step, result: Result, label: str) -> None:
        note = self._folder / f"{step.name}.jsonl"
        words = ["-n", str(step.workers), "--dist", "loadgroup", "-m", step.marker, *step.files()]
        code = self._pytest(note, words, label)
        result.tally = notes.read(note)
        if code not in (0, 1, _NO_TESTS) or (code == 1 and not result.tally.failures):
            result.trouble.append(f"pytest ended with {code}")

    def _pytest(self, note: Path, words: Sequence[str], label: str = "") -> int:
        note.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.gate.plugin", *words]
        with _heard(note, label):
            return self._processes.status(command, label, {notes.VARIABLE: str(note)})


@contextmanager
def _heard(note: Path, label: str) -> Iterator[None]:
    """Say which tests run when nothing was heard for a while; with others beside it, how far it is."""
    over = threading.Event()

    def listen() -> None:
        size = -1
        while not over.wait(_SILENCE_SECONDS):
            now = note.stat().st_size if note.exists() else 0
            if now == size or label:
                passed = f"{notes.read(note).passed} passed, " if label else ""
                say(f"... {passed}still at {', '.join(notes.running(note)) or 'its preparations'}", label)
            size = now

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
