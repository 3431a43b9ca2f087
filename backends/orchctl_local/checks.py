"""What ``orchctl doctor`` looks at on this machine: the state directory, its disk, supervisord."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from orchctl.core.check import Check, Health
from orchctl.errors import Unreachable, UsageError
from orchctl_local.client import KEEPER_SILENT_S, Client
from orchctl_local.daemon_lock import holder
from orchctl_local.files import is_private

LEAST_ROOM_BYTES = 100 << 20
_NETWORK = ("afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3", "smbfs")
_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_ELSEWHERE = "give the context a state_dir on a local disk that only you can write"


def checks(client: Client) -> Iterator[Check]:
    root = client.layout.root
    there = next(path for path in (root, *root.parents) if path.exists())
    is_ours = there != root or is_private(root.stat())
    yield directory(root, is_writable=os.access(there, os.W_OK | os.X_OK), is_ours=is_ours)
    disk = os.statvfs(there)
    has_files = not disk.f_files or bool(disk.f_favail)  # some file systems do not count them
    mounts = _MOUNTS.read_text("utf-8", "replace") if _MOUNTS.exists() else ""
    yield room(disk.f_bavail * disk.f_frsize if has_files else 0, file_system(there.resolve(), mounts))
    yield supervisor(holder(client.layout), root, keeper_alive=client.keeper_alive())


def directory(root: Path, *, is_writable: bool, is_ours: bool) -> Check:
    name = "state directory"
    if not is_ours:
        finding = f"{root} belongs to another user or can be written by others"
        return Check(name=name, health=Health.BAD, finding=finding, hint=_ELSEWHERE, exit_code=UsageError.exit_code)
    if not is_writable:
        return Check(name=name, health=Health.BAD, finding=f"{root} cannot be written", hint=_ELSEWHERE)
    return Check(name=name, health=Health.GOOD, finding=f"{root} can be written")


def room(free_bytes: int, kind: str) -> Check:
    """``kind`` is the file system's, "" when it is not known."""
    if not free_bytes:
        return Check(name="disk", health=Health.BAD, finding="the disk is full", exit_code=Unreachable.exit_code)
    if kind in _NETWORK:
        finding = f"the state directory is on a network file system ({kind}), where locks may not hold"
        return Check(name="disk", health=Health.WARNING, finding=finding, hint=_ELSEWHERE)
    free = f"{free_bytes / (1 << 30):.1f} GiB free"
    health = Health.GOOD if free_bytes >= LEAST_ROOM_BYTES else Health.WARNING
    return Check(name="disk", health=health, finding=f"{free} ({kind})" if kind else free)


def file_system(path: Path, mounts: str) -> str:
    """The kind of the one that ``path`` is on, from Linux' mountinfo (proc_pid_mountinfo(5)); "" when not known."""
    found, longest = "", -1
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(_OCTAL.sub(lambda m: chr(int(m[1], 8)), left.split(" ")[4]))
        if path.is_relative_to(point) and len(point.parts) >= longest:  # of two at one place the later lies on top
            found, longest = right.partition(" ")[0], len(point.parts)
    return found


def supervisor(process: int, root: Path, *, keeper_alive: bool) -> Check:
    """``process`` is supervisord's id, 0 when it does not run."""
    if not find_spec("supervisor"):
        hint = "install orchctl again: its dependencies are not complete"
        finding = "the Python package 'supervisor' is not installed"
        return Check(name="supervisor", health=Health.BAD, finding=finding, hint=hint, exit_code=UsageError.exit_code)
    if not process:
        return Check(name="supervisor", health=Health.GOOD, finding="does not run: it starts with the first deploy")
    if not keeper_alive:
        finding = f"runs (process {process}), but its keeper has done nothing for {KEEPER_SILENT_S:.0f} s"
        hint = f"see {root / 'keeper.log'}"
        return Check(name="supervisor", health=Health.WARNING, finding=finding, hint=hint)
    return Check(name="supervisor", health=Health.GOOD, finding=f"runs (process {process})")
