"""Real processes on this machine, looked at through /proc."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl.core.service import Amount, Health, Port, Probe, ProbeKind, Resources, Rollout, Service, Stop
from orchctl.testing.world import Behaviour, Truth, World
from tests.pace import slowness
from tests.rounds import LOAD, PATIENCE, RACES
from tests.servers import ledger
from tests.servers.waiting import until

NAMESPACE = "test"
_PROC = Path("/proc")

# Without site packages and http.server, a process answers after some 20 ms.
_SERVER = """
import os, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT_HTTP"])))
end = time.monotonic() + float(sys.argv[1])
body = os.environ.get("GREETING", "").encode()
while (left := end - time.monotonic()) > 0:
    listener.settimeout(left)
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        break
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(body) + body)
sys.exit(7)
"""
_CRASH = "import sys; sys.stderr.write('boom: cannot start\\n'); sys.exit(7)"
_PYTHON = (sys.executable, "-I", "-S", "-c")
_COMMANDS = {
    Behaviour.GOOD: (*_PYTHON, _SERVER, "3600"),
    Behaviour.CRASH: (*_PYTHON, _CRASH),
    Behaviour.CRASH_LATER: (*_PYTHON, _SERVER, "1"),
    Behaviour.NEVER_READY: (*_PYTHON, "import signal; signal.pause()"),
    Behaviour.MISSING_IMAGE: ("/nowhere/there-is-no-such-program",),
}


class LocalWorld(World):
    """Everything below ``directory``; removed by ``clean``."""

    name = "local"
    load_rounds, race_rounds = LOAD, RACES
    unschedulable_s = float(PATIENCE)

    def __init__(self, directory: Path) -> None:
        self.backend = load("local")
        self.root = directory / "local" / "here"
        ledger.note("path", self.root)
        self.context = Context(
            name="here",
            backend="local",
            state_dir=directory,
            namespace=NAMESPACE,
            settings={"secrets_dir": str(directory / "secrets")},
        )
        self._writes_before = 0
        self._writes_seen = 0
        self._files_seen: dict[str, tuple[int, int]] = {}

    def service(self, behaviour: Behaviour = Behaviour.GOOD, *, name: str = "web", greeting: str = "one") -> Service:
        too_much = Resources(memory_bytes=1 << 60) if behaviour is Behaviour.UNSCHEDULABLE else Resources()
        return Service(
            name=name,
            namespace=NAMESPACE,
            command=_COMMANDS.get(behaviour, _COMMANDS[Behaviour.GOOD]),
            replicas=2,
            env={"GREETING": greeting},
            ports=(Port(name="http", port=8080),),
            health=Health(
                ready=Probe(kind=ProbeKind.HTTP, path="/", port="http", interval_ms=200, timeout_ms=10_000),
                start_deadline_ms=2_500 if behaviour is Behaviour.NEVER_READY else 60_000,
            ),
            rollout=Rollout(
                max_surge=Amount(1),
                max_unavailable=Amount(0),
                min_ready_ms=2_000 if behaviour is Behaviour.CRASH_LATER else 200,
                deadline_ms=180_000,
            ),
            stop=Stop(grace_ms=2_000, drain_ms=0),
            resources=too_much,
        )

    def truth(self, name: str) -> Truth:
        left = [str(path.relative_to(self.root)) for path in self._files_of(name)]
        processes = self._at_one_time(name)
        left += [f"process {pid}" for pid, _ in processes]
        running = {environment["ORCHCTL_INSTANCE"]: environment for _, environment in processes}
        return Truth(exists=self._definition(name).exists(), running=running, leftovers=tuple(left))

    def pace(self) -> float:
        return slowness()

    def writes(self) -> int:
        """The context's change counter; a changed definition or record that did not count counts one more."""
        try:
            counted = int((self.root / "sequence").read_text())
        except FileNotFoundError:
            counted = 0
        if counted < self._writes_seen:
            self._writes_before += self._writes_seen
        files = {str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in self._written()}
        if files != self._files_seen and counted == self._writes_seen:
            self._writes_before += 1
        self._writes_seen, self._files_seen = counted, files
        return self._writes_before + counted

    def requests(self) -> int:
        pytest.skip("reading a file is no request that somebody could count")

    def foreign(self, name: str) -> None:
        self._definition(name).parent.mkdir(parents=True, mode=0o700)
        (self.root / "owned-by-orchctl").touch()  # in a directory of ours: one that is not is refused as a whole
        self._definition(name).write_text('{"written": "by somebody else"}')

    def tamper(self, name: str) -> None:
        plain = json.loads(self._definition(name).read_bytes())
        plain["service"]["env"]["GREETING"] = "tampered"
        self._definition(name).write_text(json.dumps(plain))

    def kill_instance(self, name: str) -> None:
        os.kill(next(pid for pid, _ in self.processes(name)), signal.SIGKILL)

    def clean(self) -> None:
        """Kill supervisord as a user would who has lost patience; its children must go with it."""
        if pid := self.daemon():
            os.kill(pid, signal.SIGKILL)
        self.wait(lambda: not self.daemon() and not list(self.processes()))
        shutil.rmtree(self.root, ignore_errors=True)

    def daemon(self) -> int:
        """Process id of this world's supervisord, 0 = none."""
        for pid, command in _commands():
            if "orchctl_local.daemon" in command and _link(pid, "cwd") == str(self.root):
                return pid
        return 0

    def processes(self, name: str = "*") -> Iterator[tuple[int, dict[str, str]]]:
        """Living processes of a service, or of all, with their environment."""
        below = f"{self.root}/instances/{NAMESPACE}/"
        for pid, _ in _commands():
            environment = _environment(pid)
            if environment.get("ORCHCTL_FILES", "").startswith(below if name == "*" else f"{below}{name}/"):
                yield pid, environment

    def _at_one_time(self, name: str) -> list[tuple[int, dict[str, str]]]:
        """Those that really lived beside each other: /proc is read one after the other, and one that ended early in that
        and one that began late were never two."""
        before = list(self.processes(name))
        while (now := list(self.processes(name))) != before:
            before = now
        return now

    def wait(self, condition: Callable[[], object], *, seconds: float = 120.0) -> None:
        """Until ``condition()`` holds; TimeoutError after ``seconds``."""
        until("the condition", condition, seconds=seconds, every=0.02)

    def _definition(self, name: str) -> Path:
        return self.root / "desired" / NAMESPACE / f"{name}.json"

    def _files_of(self, name: str) -> Iterator[Path]:
        for tree in ("desired", "status"):
            yield from self.root.glob(f"{tree}/{NAMESPACE}/{name}.json")
        for tree in ("generations", "instances", "secrets"):
            yield from self.root.glob(f"{tree}/{NAMESPACE}/{name}")
        yield from self.root.glob(f"programs/{NAMESPACE}.{name}-*")
        yield from self.root.glob(f"store/{NAMESPACE}_{name}_*")

    def _written(self) -> list[Path]:
        return [*self.root.glob("desired/*/*"), *self.root.glob("store/*")]


def _commands() -> Iterator[tuple[int, str]]:
    """Every living process with its command line; zombies have none."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if command := (entry / "cmdline").read_bytes():
                    yield int(entry.name), command.replace(b"\0", b" ").decode(errors="replace")


def _environment(pid: int) -> dict[str, str]:
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(pair for v in variables if len(pair := v.split("=", 1)) == 2)


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(_PROC / str(pid) / name)
    except OSError:
        return ""
