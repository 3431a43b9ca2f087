"""Whole-process timing, interleaved with a peer."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: wall seconds, peak memory in MiB (its own, or its largest child's)."""

    wall: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``peer`` is what the ratio is to; ``goal`` is the published target, "" = none."""

    what: str
    figure: str
    peer: str
    ratio: str
    goal: str = ""


# A process inherits the peak memory of the one that forked it, so a small one of its own does it, and keeps the time.
_LAUNCHER = """
import os, sys, time
told = os.dup(1)
os.dup2(2, 1)
started = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
facts = f"{time.perf_counter() - started} {usage.ru_maxrss} {os.waitstatus_to_exitcode(status)}"
os.write(told, facts.encode())
"""


def run(command: Sequence[str], env: dict[str, str] | None = None) -> Run:
    """Run it once, output discarded; RuntimeError when it fails: a failing command is quick and means nothing."""
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            env=env,
            check=True,
        )
        wall, peak_kib, code = done.stdout.split()
        if int(code):
            said.seek(0)
            text = said.read().decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)} ended with {int(code)}: {text[-500:]}")
    return Run(float(wall), int(peak_kib) / 1024)


def pair(
    what: str,
    ours: Callable[[], Run],
    peer: Callable[[], Run],
    *,
    peer_name: str,
    runs: int = 9,
    goal: str = "",
    warm_up: int = 2,
) -> Row:
    """Medians of interleaved runs (A B A B ...); the ratio is the median of the pairwise ratios."""
    for _ in range(warm_up):
        ours(), peer()
    pairs = [(ours(), peer()) for _ in range(runs)]
    ratio = statistics.median(a.wall / b.wall for a, b in pairs)
    mine = statistics.median(a.wall for a, _ in pairs) * 1000
    theirs = statistics.median(b.wall for _, b in pairs) * 1000
    peak = max(a.peak_mib for a, _ in pairs)
    return Row(what, f"{mine:.0f} ms, {peak:.0f} MiB", f"{peer_name} {theirs:.0f} ms", f"{ratio:.2f}x", goal)


def table(rows: Sequence[Row]) -> str:
    """The rows as text, columns aligned."""
    head = Row("what", "orchctl", "beside", "ratio", "goal")
    cells = [(r.what, r.figure, r.peer, r.ratio, r.goal) for r in (head, *rows)]
    widths = [max(len(c[i]) for c in cells) for i in range(5)]
    return "\n".join("  ".join(t.ljust(w) for t, w in zip(c, widths, strict=True)).rstrip() for c in cells)
