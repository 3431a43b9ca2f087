"""``python -m tests.gate [STEP...]``: exit 0 green, 1 red, 2 wrong arguments, 130 interrupted.

ORCHCTL_TEST_MUST_RUN names the steps of which something has to run on this machine, separated by spaces.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import surroundings
from tests.gate import report
from tests.gate.run import Result, run
from tests.gate.steps import STEPS

FOLDER = Path(__file__).parents[2] / ".gate"


def main(words: Sequence[str]) -> int:
    names = [step.name for step in STEPS]
    must = os.environ.get("ORCHCTL_TEST_MUST_RUN", "").split()
    if unknown := [name for name in [*words, *must] if name not in names]:
        print(f"no such step: {', '.join(unknown)}; there are {', '.join(names)}", file=sys.stderr)
        return 2
    surroundings.default_signals()
    FOLDER.mkdir(exist_ok=True)
    chosen = [step for step in STEPS if not words or step.name in words]
    results: list[Result] = []
    for step in chosen:
        print(f"\n=== {step.name}: {step.says}", flush=True)
        results.append(run(step, FOLDER, is_required=step.name in must))
    report.keep_flaky(results, FOLDER)
    print("\n" + "\n".join(report.lines(results)), flush=True)
    return 0 if report.is_green(results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
