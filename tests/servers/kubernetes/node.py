"""The node: containerd, the kubelet and kube-proxy in mount, process and network namespaces of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.servers import ledger, leftovers
from tests.servers.kubernetes import configs, images
from tests.servers.kubernetes.flags import NODE
from tests.servers.kubernetes.places import Places
from tests.servers.network import ip
from tests.servers.program import Program
from tests.servers.waiting import until


class Node:
    """Runs the containers. ``prepare`` needs no API server; ``join`` needs one that is ready."""

    def __init__(self, places: Places, program: Path) -> None:
        self.places = places
        self.socket = places.root / "containerd.sock"
        self._kubernetes = program
        self._cgroup = f"orchctl-{places.space}"
        self._init = Program("node", self._first_process(), places.logs / "node.log")
        self._programs: dict[str, Program] = {}

    def prepare(self) -> None:
        """Namespaces, bridge, containerd with the images in it."""
        places = self.places
        configs.write_node(places, NODE, f"/{self._cgroup}")
        ledger.note("cgroup", self._cgroup)
        for folder in leftovers.cgroup_folders(self._cgroup):
            folder.mkdir()
        self._wire()
        self._init.start()
        until("the node's namespaces", self._is_prepared)
        self._start("containerd", "containerd", "--config", str(places.root / "containerd.toml"))
        until("containerd", self._runtime_answers)
        self.load(images.archive())

    def join(self) -> None:
        places = self.places
        kubelet = [
            f"--config={places.root}/kubelet.json",
            f"--kubeconfig={places.pki}/kubelet-client.kubeconfig",
            f"--root-dir={places.root}/kubelet",
            f"--cert-dir={places.root}/kubelet-pki",
            f"--hostname-override={NODE}",
            f"--node-ip={places.address}",
        ]
        self._start("kubelet", str(self._kubernetes), "kubelet", *kubelet)
        self._start("kube-proxy", str(self._kubernetes), "kube-proxy", f"--config={places.root}/kube-proxy.json")

    def check(self) -> None:
        for program in (self._init, *self._programs.values()):
            program.check()

    def pids_by_name(self) -> dict[str, int]:
        return {p.name: p.pid for p in (self._init, *self._programs.values())}

    def adopt(self, pids: dict[str, int]) -> None:
        """Processes that another process started."""
        root = str(self.places.root)
        self._init.adopt(pids["node"], root)
        for name in pids.keys() - {"node"}:
            self._programs[name] = Program(name, [], self.places.logs / f"{name}.log")
            self._programs[name].adopt(pids[name], root)

    def ctr(self, *words: str, given: bytes | None = None) -> str:
        """containerd's own client, in the namespace of Kubernetes' containers."""
        command = ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *words]
        done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
        if done.returncode:
            raise OSError(f"ctr {' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode()

    def load(self, archive: bytes) -> None:
        """Images of a docker-archive."""
        self.ctr("images", "import", "--no-unpack", "-", given=archive)

    def kill(self, container: str) -> None:
        """SIGKILL to the first process of a container, by its id with or without ``containerd://``."""
        self.ctr("tasks", "kill", "--signal", "SIGKILL", container.removeprefix("containerd://"))

    def stop(self) -> None:
        """With its first process every process of the node ends, and with the last of them its mounts."""
        self._init.kill()
        for program in self._programs.values():
            program.kill()
        leftovers.remove_cgroup(self._cgroup)

    def _first_process(self) -> list[str]:
        spaces = ["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        script = str(Path(__file__).with_name("init.py"))
        name = ["sh", "-c", 'hostname "$0"; exec "$@"', NODE]
        return [*self.places.inside(), "unshare", *spaces, *name, sys.executable, script, str(self.places.root)]

    def _wire(self) -> None:
        places = self.places
        ip("-n", places.space, "link", "add", places.bridge, "type", "bridge")
        ip("-n", places.space, "addr", "add", f"{places.pods_gateway}/24", "dev", places.bridge)
        ip("-n", places.space, "link", "set", places.bridge, "up")
        # Before kube-proxy's rules send a service's address elsewhere, the kernel wants to know a way to it.
        ip("-n", places.space, "route", "add", places.services, "dev", places.bridge)
        for network in (places.pods, places.services):
            ip("route", "add", network, "via", places.address)
        forward = [*places.inside(), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]
        subprocess.run(forward, check=True, timeout=20)

    def _start(self, name: str, *command: str) -> None:
        spaces = f"/proc/{self._init.pid}/ns"
        inside = [f"--{kind}={spaces}/{kind}" for kind in ("net", "uts", "ipc")]
        enter = ["nsenter", *inside, f"--mount={spaces}/mnt", f"--pid={spaces}/pid_for_children"]
        # nsenter stays as the parent, outside: what ends it has to end the program.
        enter += ["setpriv", "--pdeathsig", "KILL", "--"]
        program = Program(name, [*enter, *command], self.places.logs / f"{name}.log")
        self._programs[name] = program
        program.start()

    def _is_prepared(self) -> bool:
        self._init.check()
        return (self.places.root / "ready").exists()

    def _runtime_answers(self) -> bool:
        """The kubelet ends when the runtime's Kubernetes side does not answer yet."""
        self.check()
        rows = [line.split() for line in self.ctr("plugins", "ls").splitlines()]
        return any(row[1] == "cri" and row[-1] == "ok" for row in rows if len(row) > 2)
