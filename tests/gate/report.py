"""The end of the gate's output, which has to say everything that a person needs on one screen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.gate.run import MOST_FLAKY, Result

_MOST_NAMED = 16
_WIDTH = 200


def is_green(results: Sequence[Result]) -> bool:
    return not any(one.is_red for one in results) and sum(len(one.flaky) for one in results) <= MOST_FLAKY


def lines(results: Sequence[Result], seconds: float) -> Iterator[str]:
    """``seconds`` that all took together. Reasons of skipped tests first, then what failed, what was flaky, and the worlds with their times."""
    yield from _skipped(results)
    yield from _failed(results)
    yield from _flaky(results)
    yield ""
    for one in results:
        yield f"  {one.step:<12}{'RED' if one.is_red else 'ok':<5}{_counts(one):<52}{_duration(one.seconds):>8}"
    yield f"the gate is {'green' if is_green(results) else 'RED'} after {_duration(seconds)}"
    passed, failed = sum(r.tally.passed for r in results), sum(len(r.tally.failures) + len(r.trouble) for r in results)
    yield f"{passed} passed, {failed} failed, {sum(r.tally.skipped.total() for r in results)} skipped"


def _skipped(results: Sequence[Result]) -> Iterator[str]:
    for one in results:
        for reason, count in sorted(one.tally.skipped.items()):
            yield _cut(f"{one.step}: skipped {count}: {reason}")


def _failed(results: Sequence[Result]) -> Iterator[str]:
    found = [f"  {one.step}: {text}" for one in results for text in one.trouble]
    found += [f"  {f.test}  {f.reason}" for one in results for f in one.tally.failures]
    if found:
        yield ""
        yield f"failed ({len(found)})"
        yield from (_cut(text) for text in found[:_MOST_NAMED])
    if len(found) > _MOST_NAMED:
        yield f"  and {len(found) - _MOST_NAMED} more: .gate/*.jsonl"


def _flaky(results: Sequence[Result]) -> Iterator[str]:
    found = [f for one in results for f in one.flaky]
    if found:
        yield ""
        too_many = f", and more than {MOST_FLAKY} are red" if len(found) > MOST_FLAKY else ""
        yield f"flaky ({len(found)}): failed, and passed alone{too_many}; kept in .gate/flaky.jsonl"
        yield from (_cut(f"  {f.test}  {f.reason}") for f in found[: MOST_FLAKY + 1])


def _counts(one: Result) -> str:
    tally = one.tally
    if not (tally.passed or tally.failures or tally.skipped):
        return ""
    parts = [f"{tally.passed} passed", f"{len(tally.failures)} failed", f"{tally.skipped.total()} skipped"]
    return ", ".join([*parts, *([f"{len(one.flaky)} flaky"] if one.flaky else [])])


def keep_flaky(results: Sequence[Result], folder: Path) -> None:
    """One more line for each, after those of earlier runs."""
    day = time.strftime("%Y-%m-%d %H:%M")
    with (folder / "flaky.jsonl").open("a", encoding="utf-8") as file:
        for one in results:
            for failure in one.flaky:
                note = {"at": day, "world": one.step, "test": failure.test, "reason": failure.reason}
                file.write(json.dumps(note) + "\n")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
