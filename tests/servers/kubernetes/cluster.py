"""A cluster of our own: etcd, API server, controllers and scheduler, and a node, in one network namespace.

Nothing in it has a way out of this machine; the machine reaches the API server, pods and services.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers import ledger, packages
from tests.servers.kubernetes import build, configs, flags
from tests.servers.kubernetes.api import Api, ApiError, from_kubeconfig
from tests.servers.kubernetes.kubeconfigs import write_kubeconfig
from tests.servers.kubernetes.node import Node
from tests.servers.kubernetes.places import Places
from tests.servers.network import Network
from tests.servers.program import Program
from tests.servers.registry import Registry
from tests.servers.waiting import until

START_SECONDS = 120.0


class Cluster:
    """``server_flags`` go to the API server as they are; ``node=False`` leaves out all that runs containers."""

    def __init__(self, root: Path | None = None, *, node: bool = True, server_flags: Sequence[str] = ()) -> None:
        packages.need(*packages.KUBERNETES)
        self.kubernetes = build.kubecluster()
        # A unix socket's path is at most 107 characters long, and the node has its own /run and /var/lib.
        self.root = root or ledger.fresh_directory("orchctl-kube-")
        self._own_root = root is None
        self._with_node, self._server_flags = node, tuple(server_flags)
        self._undo = contextlib.ExitStack()
        self.programs: dict[str, Program] = {}
        self.node: Node | None = None

    @property
    def admin(self) -> Path:
        """A kubeconfig that may do everything; its context is called ``test``."""
        return self.places.pki / "admin.kubeconfig"

    def start(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        ledger.note("path", self.root)
        if self._own_root:
            self._undo.callback(shutil.rmtree, self.root, ignore_errors=True)
        self._make_network()
        flags.write_certificates(self.places)
        configs.write_audit_policy(self.root / "audit-policy.json")
        self.run("etcd", *flags.etcd(self.places))
        self.run("kube-apiserver", *flags.api_server(self.places), *self._server_flags)
        self.api: Api = from_kubeconfig(self.admin)
        if self._with_node:
            self.node = Node(self.places, self.kubernetes)
            self._undo.callback(self.node.stop)
            self.node.prepare()
        until("the API server", self.is_ready, seconds=START_SECONDS)
        self.run("kube-controller-manager", *flags.controller_manager(self.places))
        self.run("kube-scheduler", *flags.scheduler(self.places))
        if self.node:
            self.node.join()
            until("the node", self._node_is_ready, seconds=START_SECONDS)
        until("the first ServiceAccount", lambda: self.api.find("serviceaccounts", "default", "default"))

    def kubeconfig(self, path: Path, user: dict[str, str], *, namespace: str = "") -> Path:
        """Written to ``path``, for a user with these credentials; its context is called ``test``."""
        ca = (self.places.pki / "ca.crt").read_bytes()
        return write_kubeconfig(path, self.places.server, ca, user, namespace=namespace)

    def run(self, name: str, *flags: str, program: Sequence[str] = ()) -> None:
        """A server of the control plane, or another ``program`` beside it, until the cluster stops."""
        command = [*self.places.inside(), *(program or self._program_of(name)), *flags]
        self.programs[name] = Program(name, command, self.places.logs / f"{name}.log")
        self._undo.callback(self.programs[name].kill)
        self.programs[name].start()

    def _program_of(self, name: str) -> list[str]:
        """From KUBEBUILDER_ASSETS where that has one, else of our own build."""
        given = Path(os.environ.get("KUBEBUILDER_ASSETS") or "/nonexistent") / name
        return [str(given)] if given.exists() else [str(self.kubernetes), name]

    def kill(self, container: str) -> None:
        """SIGKILL to the first process of a container."""
        assert self.node
        self.node.kill(container)

    def state(self) -> dict[str, Any]:
        """What another process needs to know to stop it."""
        pids = {name: program.pid for name, program in self.programs.items()} | {"registry": self.registry.pid}
        places = {"space": self.places.space, "address": self.places.address, "gateway": self.places.gateway}
        node = self.node.pids_by_name() if self.node else {}
        return {"places": places, "network": self.network.state(), "pids": pids, "node": node}

    def stop(self) -> None:
        """Everything we started and made, and nothing else. The state is thrown away, so nobody is asked politely."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_network(self) -> None:
        self.network = Network()
        self._undo.callback(self.network.close)
        space, address = self.network.join(0)
        self.places = Places(root=self.root, space=space, address=address, gateway=self.network.gateway)
        self.registry = Registry(self.root / "registry", self.places.registry)
        self._undo.callback(self.registry.stop)
        self.registry.start()

    def is_ready(self) -> bool:
        """Whether the API server says so; RuntimeError when a server ended by itself."""
        for program in self.programs.values():
            program.check()
        try:
            return bool(self.api.get("/readyz"))
        except (ApiError, http.client.HTTPException):
            return False

    def _node_is_ready(self) -> bool:
        assert self.node
        self.node.check()
        found = self.api.find("nodes", "", flags.NODE)
        if found is None or found["spec"].get("taints"):
            return False
        return any(c["type"] == "Ready" and c["status"] == "True" for c in found["status"].get("conditions", []))
