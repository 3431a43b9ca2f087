"""Measure and print. Names on the command line choose among: startup, completion, specs, local, stranger, swarm,
marathon, kubernetes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose kubernetes.py is not the SDK of that name
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import completion, kubernetes, local, marathon, specs, startup, stranger, swarm
from tests.bench.measure import table

PARTS = {
    "startup": startup.rows,
    "completion": completion.rows,
    "specs": specs.rows,
    "local": local.rows,
    "stranger": stranger.rows,
    "swarm": swarm.rows,
    "marathon": marathon.rows,
    "kubernetes": kubernetes.rows,
}


def main(names: list[str]) -> int:
    rows = []
    for name in names or list(PARTS):
        print(f"measuring {name} ...", file=sys.stderr)
        rows += PARTS[name]()
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
