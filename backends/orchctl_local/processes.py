"""Processes seen through the operating system: who still runs that should not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

MARK = "ORCHCTL_FILES"
_PROC = Path("/proc")


def start_mark(pid: int) -> str:
    """When the process started, as opaque text that tells it from a later one with the same id; "" = gone."""
    if sys.platform == "linux":
        try:
            # The name in parentheses may hold spaces; the start time is field 22, the 20th after it.
            return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
        except (OSError, IndexError):
            return ""
    done = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5, check=False
    )
    return done.stdout.strip()


def kill_recorded(pid: int, mark: str) -> None:
    """Kill the process group of a process we started, if it still is that process."""
    if pid > 0 and mark and start_mark(pid) == mark:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def kill_marked(root: Path, instances: Collection[str] = (), *, spare: Collection[str] = ()) -> None:
    """Kill what carries our mark for one of ``instances`` (empty: any) and for none of ``spare``;
    both hold ``namespace/service/instance``.

    This finds the grandchildren that left their process group. Linux only: elsewhere another process's
    environment cannot be read.
    """
    for pid, instance in _marked(root):
        if instance not in spare and (not instances or instance in instances):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _marked(root: Path) -> Iterator[tuple[int, str]]:
    wanted = f"{MARK}={root}/instances/".encode()
    for entry in _PROC.glob("[0-9]*/environ"):
        try:
            variables = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        for variable in variables:
            if variable.startswith(wanted):
                yield int(entry.parts[2]), "/".join(variable.decode(errors="replace").split("/")[-4:-1])
                break
