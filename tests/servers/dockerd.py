"""A Docker Swarm of our own: one engine per node, each in its own network namespace.

``python -m tests.servers.dockerd up DIR`` starts a one-node swarm and prints two shell variables, its
socket (DOCKER_HOST) and an image it can run (HELLO_IMAGE); ``down DIR`` stops it. Tests use ``Swarm`` as
a context manager.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers import image, ledger, leftovers, packages
from tests.servers.api import Api
from tests.servers.network import Network
from tests.servers.waiting import until

START_SECONDS = 60.0
STOP_SECONDS = 20.0
_CANNOT = ("operation not permitted", "permission denied", "isn't mounted", "not supported")
"""What the engine says at its end where containers cannot run at all."""
# Whatever its flags say, an engine writes below /run/containerd and /var/lib/docker (20.10: two files for each network, and
# a socket for each container that was killed). Its own places are copy-on-write; they go with it, as all its mounts do.
_FIRST = """
mkdir -p "$0/own" "$0/tmp" && mount -t tmpfs tmpfs "$0/own"
for place in /run /var/lib; do
    upper="$0/own$place/upper" work="$0/own$place/work"
    mkdir -p "$upper" "$work" && mount -t overlay overlay -o "lowerdir=$place,upperdir=$upper,workdir=$work" "$place"
done
hostname "$1"
shift
exec "$@"
"""


class Node:
    """One engine. ``hosts`` are further addresses it listens on, ``flags`` go to it as they are."""

    def __init__(self, root: Path, space: str, address: str, name: str, flags: Sequence[str] = ()) -> None:
        self.root, self.space, self.address, self.name = root, space, address, name
        self.socket = root / "d.sock"
        self.api = Api(self.socket)
        self._flags = tuple(flags)
        self._cgroup = f"orchctl-{space}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        log = (self.root / "dockerd.log").open("ab")
        engine = [
            "dockerd",
            *("--data-root", str(self.root / "data")),
            *("--exec-root", str(self.root / "exec")),
            *("--pidfile", str(self.root / "pid")),
            *("--host", f"unix://{self.socket}"),
            *("--config-file", str(self.root / "daemon.json")),
            # Whatever becomes of the engine and its shims, what they started is found in there.
            *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{self._cgroup}"),
            *self._flags,
        ]
        ledger.note("cgroup", self._cgroup)
        (self.root / "daemon.json").write_text("{}")
        # What is unmounted outside has to go in here, too: a mount that stays keeps a namespace or a container alive.
        spaces = ["unshare", "--uts", "--mount", "--propagation", "slave"]
        inside = ["nsenter", f"--net=/run/netns/{self.space}", *spaces, "sh", "-c", _FIRST, str(self.root), self.name]
        with log:
            self._process = subprocess.Popen(
                [*inside, *engine],
                env=os.environ | {"TMPDIR": str(self.root / "tmp")},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        until(f"engine {self.name}", self._answers, seconds=START_SECONDS)

    def stop(self) -> None:
        """Orderly: the engine stops its containers."""
        self._end(signal.SIGTERM)
        self._reap_containers()

    def kill(self) -> None:
        """As a power cut of the engine alone: its containers live on until ``stop``."""
        self._end(signal.SIGKILL)

    def _end(self, signum: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signum)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)

    def _answers(self) -> bool:
        if self._process and self._process.poll() is not None:
            tail = " / ".join((self.root / "dockerd.log").read_text(errors="replace").splitlines()[-5:])
            is_impossible = any(text in tail.lower() for text in _CANNOT)
            kind = packages.Unavailable if is_impossible else RuntimeError
            raise kind(f"the container engine ended at its start: {tail}")
        return bool(self.api.get("/_ping"))

    def _reap_containers(self) -> None:
        """Whatever still runs below our root: containerd, its shims and orphaned containers' processes."""
        for pid in _processes_below(self.root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        leftovers.unmount_below(self.root)
        leftovers.remove_cgroup(self._cgroup)


class Swarm:
    """A swarm of one manager and ``workers`` workers, quick to notice a dead node. ``flags``: further ones of the engine at
    an address."""

    def __init__(
        self, root: Path | None = None, *, workers: int = 0, flags: Callable[[str], Sequence[str]] = lambda _: ()
    ) -> None:
        packages.need("dockerd", "iptables", "busybox", "ip")
        # A unix socket's path is at most 107 characters long: never below a test's own directory.
        self.root = root or ledger.fresh_directory("orchctl-swarm-")
        self._own_root = root is None
        self._flags = flags
        self._workers = workers
        self.nodes: list[Node] = []
        self.network: Network | None = None

    @property
    def manager(self) -> Node:
        return self.nodes[0]

    @property
    def api(self) -> Api:
        return self.manager.api

    def start(self) -> Self:
        ledger.note("path", self.root)
        try:
            self.network = Network()
            self._start_manager()
            for number in range(1, self._workers + 1):
                self._start_worker(number)
        except BaseException:
            self.stop()
            raise
        return self

    def _node(self, number: int, name: str) -> Node:
        assert self.network
        space, address = self.network.join(number)
        registry = f"{self.network.prefix}.0/24"
        flags = ["--insecure-registry", registry, *self._flags(address)]
        node = Node(self.root / name, space, address, name, flags)
        self.nodes.append(node)
        node.start()
        node.api.post("/images/create", image.rootfs(), fromSrc="-", repo="127.0.0.1:1/busybox", tag="1")
        return node

    def _start_manager(self) -> None:
        manager = self._node(0, "manager")
        # A dead worker is noticed after three heartbeats; the default of 5 s makes tests wait.
        spec = {"Dispatcher": {"HeartbeatPeriod": 1_000_000_000}}
        address = manager.address
        manager.api.post("/swarm/init", {"ListenAddr": f"{address}:2377", "AdvertiseAddr": address, "Spec": spec})
        until("the manager's own node", lambda: len(self.ready_nodes()) == 1)

    def _start_worker(self, number: int) -> None:
        worker = self._node(number, f"worker{number}")
        token = self.api.get("/swarm")["JoinTokens"]["Worker"]
        remote = [f"{self.manager.address}:2377"]
        body = {"ListenAddr": f"{worker.address}:2377", "AdvertiseAddr": worker.address}
        worker.api.post("/swarm/join", body | {"RemoteAddrs": remote, "JoinToken": token})
        until(f"{worker.name} ready", lambda: len(self.ready_nodes()) == number + 1)

    def ready_nodes(self) -> list[dict[str, Any]]:
        return [n for n in self.api.get("/nodes") if n["Status"]["State"] == "ready"]

    def set_availability(self, name: str, availability: str) -> None:
        """``active``, ``pause`` or ``drain`` of one node."""
        node = next(n for n in self.api.get("/nodes") if n["Description"]["Hostname"] == name)
        spec = node["Spec"] | {"Availability": availability}
        self.api.post(f"/nodes/{node['ID']}/update", spec, version=str(node["Version"]["Index"]))

    def push(self, repository: str, tag: str) -> str:
        """To its registry, without credentials; what the engine said."""
        headers = {"X-Registry-Auth": base64.b64encode(b"{}").decode()}
        return str(self.api.call("POST", f"/images/{repository}/push", headers=headers, tag=tag))

    def stop(self) -> None:
        """Everything we started and made, and nothing else."""
        for node in reversed(self.nodes):
            node.stop()
        if self.network:
            self.network.close()
        if self._own_root:
            shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _processes_below(root: Path) -> list[int]:
    """Processes whose command line names ``root``, and the children of such shims."""
    found: list[int] = []
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
            if str(root).encode() in command and command.split(b"\0")[0].rpartition(b"/")[2].startswith(b"containerd"):
                found.append(int(entry.name))
    return [*_descendants(set(found), parents), *found]


def _descendants(roots: set[int], parents: dict[int, int]) -> list[int]:
    result: set[int] = set()
    while more := {p for p, parent in parents.items() if parent in roots | result} - result - roots:
        result |= more
    return sorted(result, reverse=True)


if __name__ == "__main__":
    from tests.servers.standalone import main

    sys.exit(main(sys.argv[1:]))
