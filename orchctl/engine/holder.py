"""Who we are, so that others can tell whether we still live."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ALIVE = "alive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that may hold a lease. ``boot`` names the machine's boot and the PID namespace: a pid
    means something to us only where both are ours (two containers of one host share the boot id)."""

    user: str
    host: str
    boot: str
    pid: int
    pid_start: str
    command: str
    token: str

    def meta(self) -> dict[str, str]:
        """As it stands in a lease."""
        return {
            "user": self.user,
            "host": self.host,
            "boot": self.boot,
            "pid": str(self.pid),
            "pid_start": self.pid_start,
            "command": self.command,
            "token": self.token,
        }

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}"


def this_process(command: str) -> Holder:
    """The Holder of this process; ``command`` is what others are shown."""
    return Holder(
        user=_user(),
        host=os.uname().nodename,
        boot=_boot(),
        pid=os.getpid(),
        pid_start=process_start(os.getpid()),
        command=command[:200],
        token=os.urandom(16).hex(),
    )


def is_known_dead(meta: Mapping[str, str], us: Holder) -> bool:
    """True only when the lease's process ran on this very boot and PID namespace and is gone.

    A process whose start time differs is another one that got the same pid. One that cannot be seen is alive.
    """
    if not us.boot or meta.get("boot") != us.boot or meta.get("host") != us.host:
        return False
    pid = meta.get("pid", "")
    start, seen = meta.get("pid_start", ""), process_start(int(pid)) if pid.isdigit() else _ALIVE
    return not seen or (_ALIVE not in (seen, start) and seen != start)


def process_start(pid: int) -> str:
    """An opaque text that identifies the process's start; "" = no such process, or a zombie; "alive" = there is one.

    Linux: field 22 of /proc/PID/stat (clock ticks since boot), counted after the command name, which
    may itself contain blanks and parentheses. Where that says nothing (/proc may hide what belongs to
    others), a signal could be sent or not.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
            fields = stat.rpartition(")")[2].split()
            return "" if len(fields) < 20 or fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ""
    except PermissionError:
        return _ALIVE
    return _ALIVE


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no passwd entry, as in many containers
        return f"uid{os.getuid()}"


def _boot() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
