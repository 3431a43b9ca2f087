"""The programs of the cluster, built once from their Go modules and kept below ~/.cache/orchctl-test.

No registry offers Kubernetes' servers as packages that run here as they are, but the Go module proxy has their sources.
``python -m tests.servers.kubernetes.build`` builds what is missing, so that a build does not eat a test's time-out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.rounds import PROFILE
from tests.servers import packages
from tests.servers.built import built, cache_folder, fingerprint
from tests.servers.golang import build_cache, go, usual_cache
from tests.servers.packages import Unavailable

VERSION = "1.34.4"
KWOK = "v0.7.0"
SOURCES = Path(__file__).parent / "kubecluster"
_COMPONENT, _CLIENT = "k8s.io/component-base/version", "k8s.io/client-go/pkg/version"
# What Kubernetes' own build writes into the programs: they refuse a cluster whose version they cannot tell.
_STAMPS = {
    f"{_COMPONENT}.gitVersion": f"v{VERSION}",
    f"{_COMPONENT}.gitMajor": "1",
    f"{_COMPONENT}.gitMinor": "34",
    f"{_COMPONENT}.gitTreeState": "clean",
    f"{_COMPONENT}.gitCommit": "0" * 40,
    f"{_COMPONENT}.buildDate": "1970-01-01T00:00:00Z",
    f"{_CLIENT}.gitVersion": f"v{VERSION}",
    f"{_CLIENT}.gitMajor": "1",
    f"{_CLIENT}.gitMinor": "34",
}
_LINK = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in _STAMPS.items())])


def kubecluster() -> Path:
    """The program that is every server of the cluster; built when these sources were not built yet."""

    def build(target: Path) -> None:
        _go(["build", "-trimpath", "-ldflags", _LINK, "-o", str(target), "."], SOURCES, target.parent)

    why = f"etcd and Kubernetes {VERSION} for the tests of its backend; once, about eight minutes on two cores"
    return built(f"kubernetes-{VERSION}-{fingerprint(SOURCES, _LINK)}", "kubecluster", build, why)


def kwok() -> Path:
    """Simulates nodes and what their pods do, for tests of scale."""

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _go(
                ["install", "-trimpath", "-ldflags", "-s -w", f"sigs.k8s.io/kwok/cmd/kwok@{KWOK}"],
                target.parent,
                target.parent,
                folder,
            )
            (Path(folder) / "kwok").rename(target)

    return built(f"kwok-{KWOK}", "kwok", build, f"kwok {KWOK} (simulated nodes) for tests of scale; once, some minutes")


def _go(words: Sequence[str], folder: Path, scratch: Path, into: str = "") -> None:
    own = {"GOCACHE": build_cache(usual_cache(), cache_folder() / "go-build"), "GOTMPDIR": str(scratch)}
    go(words, folder, own | ({"GOBIN": into} if into else {}))


def main() -> None:
    try:
        packages.need(*packages.KUBERNETES)
        kubecluster()
        if PROFILE == "soak":  # what it simulates is for a soak
            kwok()
    except Unavailable as reason:
        print(f"no Kubernetes for the tests: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
