"""The controller of one context: makes what runs equal to the desired files. Started by supervisord.

It owns no state that is not in a file: killed at any point, the next one goes on from the status
files and from what supervisord runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchctl.errors import Unreachable
from orchctl_local.daemon_lock import pid_in
from orchctl_local.files import read_json, remove, state_lock
from orchctl_local.launcher import die_with_parent
from orchctl_local.layout import Layout
from orchctl_local.model import desired_from
from orchctl_local.processes import kill_marked, kill_recorded
from orchctl_local.service_keeper import IDLE_MS, ServiceKeeper
from orchctl_local.supervisor_config import Program
from orchctl_local.supervisor_rpc import Seen, SupervisorRpc

MOVING_MS = 100
LOOK_S = 0.05
"""How often the desired files are looked at (directory entries only)."""
BEAT_S = 1.0
EMPTY_S = 5.0
"""Without any service for this long, supervisord and the keeper end by themselves."""
LEFT_OVER_S = 60.0
PROBE_THREADS = 16

Signature = tuple[tuple[str, str, int, int], ...]


class _Round:
    """The supervisor as replicas see it: starts are gathered, because each costs a reread of the configuration."""

    def __init__(self, rpc: SupervisorRpc) -> None:
        self._rpc = rpc
        self._wanted: list[Program] = []

    def want(self, program: Program) -> None:
        self._wanted.append(program)

    def stop(self, name: str) -> None:
        self._rpc.stop(name)

    def remove(self, name: str) -> None:
        self._rpc.remove(name)

    def flush(self) -> None:
        wanted, self._wanted = self._wanted, []
        self._rpc.start(wanted)


class Keeper:
    """``run`` returns when there has been nothing to keep for a while, or when supervisord is gone."""

    def __init__(self, layout: Layout, *, life: str) -> None:
        self._layout = layout
        self._life = life
        self._daemon = os.getppid()
        self._rpc = SupervisorRpc(layout.programs)
        self._round = _Round(self._rpc)
        self._pool = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probe")
        self._taken: set[int] = set()
        self._services: dict[tuple[str, str], ServiceKeeper] = {}
        self._signature: Signature | None = None

    def run(self) -> None:
        self._remove_left_over()
        self._resume()
        beat = empty_since = time.monotonic()
        while self._has_daemon():
            signature = self._look()
            if signature != self._signature:
                self._read(signature)
            self._tick()
            now = time.monotonic()
            if now - beat >= BEAT_S:
                self._layout.keeper_beat.touch()
                beat = now
            if self._services or signature:
                empty_since = now
            elif now - empty_since > EMPTY_S and self._end():
                return
            self._wait(self._rest_s())

    def _has_daemon(self) -> bool:
        """Where there is no parent-death signal, an orphaned keeper must notice by itself."""
        return os.getppid() == self._daemon

    def _rest_s(self) -> float:
        now = _now_ms()
        rest = min((service.rest_ms(now) for service in self._services.values()), default=IDLE_MS)
        return max(MOVING_MS, min(rest, IDLE_MS)) / 1000

    def _remove_left_over(self) -> None:
        """Half-written files of killed writers; young ones may be in somebody's hands."""
        for left in self._layout.tmp.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > LEFT_OVER_S:
                    remove(left)

    def _wait(self, seconds: float) -> None:
        """Until the next round, or until the desired files have changed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._look() == self._signature:
            time.sleep(LOOK_S)

    def _tick(self) -> None:
        try:
            seen = self._rpc.seen()
            now = _now_ms()
            self._sweep(now, seen)
            for key, service in list(self._services.items()):
                service.tick(now, seen)
                if service.gone and service.clean():
                    del self._services[key]
            self._round.flush()
            self._forget_unknown(seen)
        except (OSError, xmlrpc.client.Error) as error:
            # The next round tries again: replicas that supervisord does not show are started anew.
            print(f"keeper: {type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201

    def _sweep(self, now: int, seen: Mapping[str, Seen]) -> None:
        """What a process left behind, in its group or in a session of its own, goes with it: one look for all."""
        runners = [runner for service in self._services.values() for runner in service.runners]
        if over := {runner.key for runner in runners if runner.is_over(now, seen.get(runner.program))}:
            kill_marked(self._layout.root, over)

    def _forget_unknown(self, seen: Mapping[str, Seen]) -> None:
        """Programs that ended and that no replica has: a keeper was killed before it could remove them."""
        known = {runner.program for service in self._services.values() for runner in service.runners}
        for name in seen.keys() - known:
            if seen[name].ended:
                self._rpc.remove(name)

    def _look(self) -> Signature:
        """Every desired file with its inode: each write is a rename, and so another inode."""
        found = []
        for namespace in _entries(self._layout.desired):
            for file in _entries(Path(namespace.path)):
                if file.name.endswith(".json"):
                    with contextlib.suppress(FileNotFoundError):
                        status = file.stat()
                        found.append((namespace.name, file.name[: -len(".json")], status.st_ino, status.st_mtime_ns))
        return tuple(sorted(found))

    def _read(self, signature: Signature) -> None:
        self._signature = signature
        present = {(namespace, name) for namespace, name, _, _ in signature}
        for key in present:
            plain = read_json(self._layout.desired_file(*key))
            desired = desired_from(plain)
            if desired is None and key not in self._services:
                continue
            service = self._service(key)
            service.desired, service.held = desired, desired is None
        for key in set(self._services) - present:
            self._services[key].desired, self._services[key].held = None, False

    def _service(self, key: tuple[str, str]) -> ServiceKeeper:
        if key not in self._services:
            self._services[key] = ServiceKeeper(
                self._layout, *key, life=self._life, supervisor=self._round, pool=self._pool, taken=self._taken
            )
        return self._services[key]

    def _resume(self) -> None:
        """Take up what an earlier keeper knew; kill what runs although no supervisor of ours runs it."""
        for path in self._layout.root.glob("status/*/*.json"):
            self._service((path.parent.name, path.stem))
        seen = self._seen_at_start()
        if not self._has_daemon():
            return
        spare: set[str] = set()
        for service in self._services.values():
            for runner in service.runners:
                if runner.program in seen and not seen[runner.program].ended:
                    spare.add(runner.key)
                else:
                    kill_recorded(runner.state.pid, runner.state.pid_start)
        kill_marked(self._layout.root, spare=spare)

    def _seen_at_start(self) -> Mapping[str, Seen]:
        """supervisord opens its socket before it starts programs, but answers only in its main loop."""
        while self._has_daemon():
            try:
                return self._rpc.seen()
            except (OSError, xmlrpc.client.Error):
                time.sleep(LOOK_S)
        return {}

    def _end(self) -> bool:
        """Ask supervisord to end, unless somebody writes just now. A starter that comes later waits for the end."""
        try:
            with state_lock(self._layout, timeout_s=0):
                if self._look():
                    return False
                self._layout.daemon_stopping.touch()
                try:
                    self._rpc.shutdown()
                except (OSError, xmlrpc.client.Error):
                    self._layout.daemon_stopping.unlink()
                    return False
                return True
        except Unreachable:
            return False


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def main() -> None:
    os.umask(0o077)
    layout = Layout(Path.cwd())
    life = layout.daemon_lock.read_text("ascii")
    die_with_parent(pid_in(life))
    Keeper(layout, life=life).run()


if __name__ == "__main__":
    main()
