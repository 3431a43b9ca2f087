"""``python -m tests.gate [STEP...]``: exit 0 green, 1 red, 2 wrong arguments, 130 interrupted.

ORCHCTL_TEST_MUST_RUN names the steps of which something has to run on this machine, separated by spaces.
ORCHCTL_TEST_AT_ONCE is how many worlds run at the same time: 3, in a soak 1.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests import surroundings
from tests.gate import report
from tests.gate.processes import say
from tests.gate.run import Result, Runner
from tests.gate.steps import STEPS, Step
from tests.rounds import PROFILE

FOLDER = Path(__file__).parents[2] / ".gate"
_AT_ONCE = 3 if PROFILE == "gate" else 1


def main(words: Sequence[str]) -> int:
    names = [step.name for step in STEPS]
    must = os.environ.get("ORCHCTL_TEST_MUST_RUN", "").split()
    if unknown := [name for name in [*words, *must] if name not in names]:
        print(f"no such step: {', '.join(unknown)}; there are {', '.join(names)}", file=sys.stderr)
        return 2
    at_once = os.environ.get("ORCHCTL_TEST_AT_ONCE", "")
    if at_once and (not at_once.isdecimal() or at_once == "0"):
        print(f"ORCHCTL_TEST_AT_ONCE is {at_once!r}; it is a number from 1", file=sys.stderr)
        return 2
    surroundings.default_signals()
    FOLDER.mkdir(exist_ok=True)
    began = time.monotonic()
    results = _results([step for step in STEPS if not words or step.name in words], must, int(at_once or _AT_ONCE))
    report.keep_flaky(results, FOLDER)
    say("\n" + "\n".join(report.lines(results, time.monotonic() - began)))
    return 0 if report.is_green(results) else 1


def _results(steps: Sequence[Step], must: Sequence[str], at_once: int) -> list[Result]:
    """Worlds wait more than they compute, so some of them run at the same time; what failed in one runs again when all have ended."""
    runner = Runner(FOLDER)
    worlds = [step for step in steps if step.is_world]
    try:
        results = runner.together([step for step in steps if not step.is_world], must, 1)
        results += runner.together(worlds, must, min(at_once, len(worlds)))
        for result in results[-len(worlds) :] if worlds else ():
            runner.second_chance(result)
    except BaseException:
        runner.end()
        raise
    return results


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
