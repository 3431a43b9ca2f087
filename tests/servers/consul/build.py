"""Consul, built once from its Go modules and kept below ~/.cache/orchctl-test.

No registry offers Consul's program as a package that runs here, but the Go module proxy has its sources.
``python -m tests.servers.consul.build`` builds what is missing, so that a build does not eat a test's time-out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.servers.built import built, fingerprint
from tests.servers.golang import go
from tests.servers.packages import Unavailable

VERSION = "1.20.6"
SOURCES = Path(__file__).parent / "consulserver"
_LINK = "-s -w"


def consul() -> Path:
    """The program; built when these sources were not built yet. Unavailable where there is no Go to build it with."""
    why = f"Consul {VERSION} for the tests of catalogs; once, about six minutes on two cores"
    return built(f"consul-{VERSION}-{fingerprint(SOURCES, _LINK)}", "consul", _build, why)


def _build(target: Path) -> None:
    """With a build cache of its own, dropped afterwards: it would hold a gigabyte that nobody asks for again."""
    with tempfile.TemporaryDirectory(dir=target.parent) as cache:
        words = ["build", "-trimpath", "-ldflags", _LINK, "-o", str(target), "."]
        go(words, SOURCES, {"GOFLAGS": "-buildvcs=false -mod=readonly", "GOCACHE": cache, "GOTMPDIR": cache})


def main() -> None:
    try:
        consul()
    except Unavailable as reason:
        print(f"no Consul for the tests: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
