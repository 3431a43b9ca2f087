"""Print which worlds the last `make test` ran in, from what tests/conftest.py noted."""

import json
import sys
from pathlib import Path

NOTES = Path(__file__).parent.parent / ".pytest_cache" / "worlds"


def main() -> int:
    rows = [json.loads(p.read_text("utf-8")) for p in sorted(NOTES.glob("*.json"))]
    print("\nworlds")
    for row in rows:
        print(f"  {row['world']:<10} {row['passed']:>5} passed {row['failed']:>3} failed {row['skipped']:>3} skipped")
        for reason, count in row["reasons"].items():
            print(f"  {'':<10} {count:>5} skipped: {reason}")
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
