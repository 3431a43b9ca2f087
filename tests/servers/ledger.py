"""What the servers of tests make is written down before it is made, and what a dead run left is removed by the next one.

One file for each run, with a JSON line for each thing, below one place that no variable moves. The file's name says
whose it is; while that process lives, nobody touches what is in it. Processes are not written down: a number can be noted
only when its process is there already. They carry their owner's name in a variable instead, which they have inherited
before they exist; those that drop it are known by the directories and cgroups that they work in.

``python -m tests.servers.ledger sweep`` removes what dead runs left, and prints a line for each thing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from tests.servers import leftovers

Kind = Literal["path", "place", "space", "link", "cgroup", "prefix"]
"""A file or directory; a directory that stays while its processes and mounts go; a network namespace; a link; a cgroup
below the root of its hierarchy; a network 10.99.N, which is only spoken for."""
Entry = tuple[Kind, str]

MARK = "ORCHCTL_TEST_OWNER"
"""The owner's file; empty = nobody owns what is made here."""
# Not $XDG_RUNTIME_DIR and not $TMPDIR: the next run may have other ones.
FOLDER = Path("/tmp") / f"orchctl-test-ledger-{os.geteuid()}"


def begin() -> None:
    """A run: what dead ones left goes, and this process owns what it, its workers and their children make."""
    sweep()
    own()


def own(folder: Path = FOLDER) -> None:
    """From now on, unless an owner was given to this process: then all is that one's."""
    if MARK not in os.environ:
        os.environ[MARK] = str(folder / _name(os.getpid())) if sys.platform == "linux" else ""


def disown() -> None:
    """For a command whose servers are to outlive it; a test that runs the command owns them."""
    os.environ.setdefault(MARK, "")


def mark() -> dict[str, str]:
    """For the environment of a child that gets nothing else of ours."""
    own()
    return {MARK: os.environ[MARK]}


def note(kind: Kind, name: str | Path) -> None:
    """Before it is made."""
    _write({"kind": kind, "name": str(name)})


def forget(kind: Kind, name: str | Path) -> None:
    """It is gone, and somebody else may have one of that name."""
    _write({"kind": kind, "name": str(name), "gone": True})


def fresh_directory(prefix: str) -> Path:
    """An empty one of our own, noted. In /tmp: sockets in it need short paths."""
    path = Path("/tmp") / f"{prefix}{secrets.token_hex(4)}"
    note("path", path)
    path.mkdir(mode=0o700)
    return path


def held(kind: Kind, folder: Path = FOLDER) -> set[str]:
    """Names of that kind that somebody who lives has."""
    return {name for kind_, name in _held(folder) if kind_ == kind}


@contextlib.contextmanager
def alone(name: str = "lock", folder: Path = FOLDER) -> Iterator[None]:
    """One process of this user at a time; the kernel ends it with the process."""
    _make(folder)
    with (folder / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(folder: Path = FOLDER) -> list[str]:
    """Remove what is left of runs whose process has ended, and of its own kind only; a line for each thing.

    May be killed at any moment and be called by any number of runs at once: a file goes when all in it has gone.
    """
    if sys.platform != "linux" or not folder.is_dir():
        return []
    with alone(folder=folder):
        stale = [file for file in _files(folder) if not _lives(file.name)]
        if not stale:
            return []
        entries = {entry for file in stale for entry in _entries(file)} - _held(folder)
        named = {kind: sorted(name for kind_, name in entries if kind_ == kind) for kind in get_args(Kind)}
        said = leftovers.remove(named, partial(_owner_is_dead, folder), _living(folder))
        for file in [] if any(map(is_refusal, said)) else stale:
            file.unlink()
    return said


def is_refusal(line: str) -> bool:
    return line.startswith("cannot")


def _owner_is_dead(folder: Path, process: leftovers.Process) -> bool | None:
    owner = Path(os.fsdecode(process.environment().get(MARK.encode(), b"")))
    return not _lives(owner.name) if owner.parent == folder else None


def _living(folder: Path) -> set[int]:
    return {int(file.name.split(".")[2]) for file in _files(folder) if _lives(file.name)}


def _name(pid: int) -> str:
    """Boot, space of process numbers, number and start: together no other process has them, ever."""
    process = leftovers.look(pid)
    assert process
    return f"{_here()}.{pid}.{process.start}"


def _here() -> str:
    space = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text()[:8]}.{space}"


def _lives(name: str) -> bool:
    """Also when it cannot be told, because its number is one of another container's."""
    parts = name.split(".")
    if len(parts) != 4 or not parts[2].isdecimal():
        return True
    if parts[:2] != (here := _here().split(".")):
        return parts[0] == here[0]
    found = leftovers.look(int(parts[2]))
    return found is not None and str(found.start) == parts[3]


def _files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.glob("*.*.*.*")) if file.name.replace(".", "").isalnum()]


def _held(folder: Path) -> set[Entry]:
    return {entry for file in _files(folder) if _lives(file.name) for entry in _entries(file)}


def _entries(file: Path) -> set[Entry]:
    """Of all lines that are whole."""
    found: set[Entry] = set()
    for line in file.read_bytes().splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            plain = json.loads(line)
            entry = (plain["kind"], plain["name"])
            if plain["kind"] in get_args(Kind):
                found = found - {entry} if plain.get("gone") else found | {entry}
    return found


def _write(plain: dict[str, object]) -> None:
    """In one piece, behind whatever a killed writer may have left of a line."""
    own()
    if not os.environ[MARK]:
        return
    file = Path(os.environ[MARK])
    _make(file.parent)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"\n{json.dumps(plain)}\n".encode())
    finally:
        os.close(descriptor)


def _make(folder: Path) -> None:
    """RuntimeError when it is somebody else's, who could then have us remove anything."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise RuntimeError(f"{folder} belongs to somebody else")


def main(arguments: Sequence[str]) -> int:
    """Exit 0, 1 when something cannot be removed, 2 for wrong arguments."""
    if list(arguments) != ["sweep"]:
        print("usage: python -m tests.servers.ledger sweep", file=sys.stderr)
        return 2
    said = sweep()
    print(*said, sep="\n", end="\n" if said else "")
    return int(any(map(is_refusal, said)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
