"""What a run that was killed can leave on a machine, and how each kind of it goes. Linux only; standard library only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers.waiting import until

END_SECONDS = 30.0
_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# A shell that somebody opened in a directory has its name in these, and is none of ours.
_OF_SHELLS = (b"PWD", b"OLDPWD")


@dataclass(frozen=True, slots=True)
class Process:
    """``start`` is its start time in ticks since the boot: with it a number that recurs is another process."""

    pid: int
    parent: int
    start: int
    name: str

    def environment(self) -> dict[bytes, bytes]:
        """As it was at its exec; empty for one that may not be looked at."""
        variables = (v.partition(b"=") for v in self._bytes("environ").split(b"\0"))
        return {name: value for name, _, value in variables}

    def works_below(self, places: Collection[str]) -> bool:
        """Given something there by its environment, with its root there, or orchctl's daemon with its directory there (which
        keeps nothing of its caller's environment)."""
        paths = [os.fsdecode(value) for name, value in self.environment().items() if name not in _OF_SHELLS]
        paths += [self._link("root")]
        if b"orchctl_local.daemon" in self._bytes("cmdline").split(b"\0"):
            paths += [self._link("cwd")]
        return any(_is_below(path, place) for path in paths for place in places)

    def kill(self) -> None:
        """SIGKILL, if it still is the same one: what a descriptor of it names cannot be another any more."""
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if (now := look(self.pid)) and now.start == self.start:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            finally:
                os.close(descriptor)

    def _bytes(self, name: str) -> bytes:
        try:
            return (_PROC / str(self.pid) / name).read_bytes()
        except OSError:
            return b""

    def _link(self, name: str) -> str:
        try:
            return os.readlink(_PROC / str(self.pid) / name)
        except OSError:
            return ""


def remove(
    named: Mapping[str, Sequence[str]], owner_is_dead: Callable[[Process], bool | None], spared: Collection[int]
) -> list[str]:
    """All of ``named`` (see ``ledger.Kind``) with its processes; a line for each thing, one that begins with "cannot" for
    what stays. ``owner_is_dead`` is None for a process that names no owner: then the places that it works in tell."""
    places = _outermost([place for place in (*named["path"], *named["place"]) if _is_deep(place)])
    in_cgroups = {pid for name in named["cgroup"] for pid in _processes_in(name)}

    def is_ours(process: Process) -> bool | None:
        if (known := owner_is_dead(process)) is not None:
            return known
        return process.pid in in_cgroups or process.works_below(places) or None

    steps: list[Callable[[], list[str]]] = [partial(end_processes, is_ours, spared)]
    steps += [partial(unmount_below, place) for place in places]
    removers = {"cgroup": remove_cgroup, "link": remove_link, "space": remove_space, "path": remove_path}
    steps += [partial(removers[kind], name) for kind in removers for name in named[kind]]
    said: list[str] = []
    for step in steps:
        try:
            said += step()
        except (OSError, subprocess.TimeoutExpired) as error:
            said.append(f"cannot be removed: {error}")
    return said


def look(pid: int) -> Process | None:
    """None when there is none, or only what is left of one until its parent has asked for its status."""
    try:
        before, _, after = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")
    except OSError:
        return None
    fields = after.split()
    return None if fields[0] in "ZX" else Process(pid, int(fields[1]), int(fields[19]), before.partition("(")[2])


def end_processes(is_ours: Callable[[Process], bool | None], spared: Collection[int] = ()) -> list[str]:
    """Those, and all that come from them, until there are none: some are started again by others that go with them.

    ``is_ours`` is None for one that goes if what it comes from goes. ``spared``, this process and those that it comes from
    stay, whatever is said. TimeoutError when one does not end in 30 s.
    """
    seen: dict[tuple[int, int], str] = {}

    def none_is_left() -> bool:
        found = [p for entry in _PROC.iterdir() if entry.name.isdigit() and (p := look(int(entry.name)))]
        known = {p.pid: is_ours(p) for p in found}
        known |= dict.fromkeys([*spared, *_line_of(os.getpid(), {p.pid: p.parent for p in found})], False)
        while more := [p.pid for p in found if known[p.pid] is None and known.get(p.parent)]:
            known |= dict.fromkeys(more, True)
        victims = [p for p in found if known[p.pid]]
        for process in victims:
            seen[process.pid, process.start] = process.name
            process.kill()
        return not victims

    until("the end of what a dead run left", none_is_left, seconds=END_SECONDS)
    return [f"process {pid} ({name})" for (pid, _), name in seen.items()]


def _line_of(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid:
        yield pid
        pid = parents.get(pid, 0)


def mounts_below(place: str | Path) -> list[str]:
    """In the order in which they were made."""
    found = [line.split()[1] for line in (_PROC / "mounts").read_text().splitlines()]
    decoded = (path.encode().decode("unicode_escape").encode("latin-1").decode(errors="replace") for path in found)
    return [path for path in decoded if _is_below(path, str(place))]


def unmount_below(place: str | Path) -> list[str]:
    gone = []
    for path in reversed(mounts_below(place)):
        subprocess.run(["umount", "-l", path], capture_output=True, timeout=20, check=False)
        gone.append(f"mount {path}")
    return gone


def remove_path(name: str) -> list[str]:
    """A file, or a directory with all that is in it; OSError when something of another's is mounted there still."""
    path = Path(name)
    if not os.path.lexists(path):
        return []
    if mounts_below(path) or not _is_deep(name) or path.lstat().st_uid != os.geteuid():
        raise OSError(f"{path} is left alone: it is another's, or something is mounted below it")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    return [f"path {path}"]


def remove_link(name: str) -> list[str]:
    return _ip("link", name) if Path("/sys/class/net", name).exists() else []


def remove_space(name: str) -> list[str]:
    return _ip("netns", name) if Path("/run/netns", name).exists() else []


def _ip(kind: str, name: str) -> list[str]:
    done = subprocess.run(["ip", kind, "del", name], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise OSError(f"ip {kind} del {name}: {done.stderr.strip()}")
    return [f"{'space' if kind == 'netns' else kind} {name}"]


def cgroup_folders(name: str) -> list[Path]:
    """One in every hierarchy: cgroup v2 has one, v1 one for each controller. Whether they exist or not."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS / name]
    hierarchies = (
        sorted(h for h in _CGROUPS.iterdir() if h.is_dir() and not h.is_symlink()) if _CGROUPS.exists() else []
    )
    return [h / name for h in hierarchies]


def _processes_in(cgroup: str) -> set[int]:
    found: set[int] = set()
    for folder in cgroup_folders(cgroup):
        for file in folder.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found |= {*map(int, file.read_text().split())}
    return found


def remove_cgroup(name: str) -> list[str]:
    """With those below it, when their last process has gone. TimeoutError when it does not go."""
    folders = [f for f in cgroup_folders(name) if f.exists()]
    for folder in folders:
        until(f"no process in {folder}", partial(_is_gone, folder), seconds=END_SECONDS)
    return [f"cgroup {name}"] if folders else []


def _is_gone(folder: Path) -> bool:
    if folder.exists():
        for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
            path.rmdir()
        folder.rmdir()
    return True


def _is_deep(place: str) -> bool:
    """Whatever a file may say: what works in /tmp, or in a whole home, is not all ours."""
    path = Path(place)
    return path.is_absolute() and len(path.parts) > 2 and ".." not in path.parts and path != Path.home()


def _outermost(places: Sequence[str]) -> list[str]:
    found: list[str] = []
    for place in sorted(places):
        if not found or not _is_below(place, found[-1]):
            found.append(place)
    return found


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")
