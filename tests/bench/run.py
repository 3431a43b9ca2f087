"""Measure and print. Names on the command line choose among: startup, specs, local, swarm."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import local, specs, startup, swarm
from tests.bench.measure import table

PARTS = {"startup": startup.rows, "specs": specs.rows, "local": local.rows, "swarm": swarm.rows}


def main(names: list[str]) -> int:
    rows = []
    for name in names or list(PARTS):
        print(f"measuring {name} ...", file=sys.stderr)
        rows += PARTS[name]()
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
