"""A swarm and a registry for a demonstration: they outlive the command that starts them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers import ledger
from tests.servers.dockerd import STOP_SECONDS, Node, Swarm
from tests.servers.network import remove
from tests.servers.packages import Unavailable
from tests.servers.registry import Registry
from tests.servers.waiting import until


def main(arguments: Sequence[str]) -> int:
    """Exit 0, 1 when it cannot be done here, 2 for wrong arguments."""
    if len(arguments) != 2 or arguments[0] not in ("up", "down"):
        print("usage: python -m tests.servers.dockerd up|down DIR", file=sys.stderr)
        return 2
    root = Path(arguments[1]).resolve()
    return _up(root) if arguments[0] == "up" else _down(root)


def _up(root: Path) -> int:
    if (root / "state.json").exists():
        print(f"one was started in {root} already; stop it first: down {root}", file=sys.stderr)
        return 1
    ledger.disown()
    try:
        swarm = Swarm(root).start()
        assert swarm.network
        registry = Registry(root / "registry", f"{swarm.network.gateway}:5000").start()
    except (Unavailable, TimeoutError, RuntimeError) as reason:
        print(f"no swarm here: {reason}", file=sys.stderr)
        return 1
    name = f"{registry.address}/hello"
    swarm.api.post("/images/127.0.0.1:1/busybox:1/tag", repo=name, tag="1")
    swarm.push(name, "1")
    manager = swarm.manager
    state = {"pids": [manager.pid, registry.pid], "space": manager.space, "network": swarm.network.state()}
    (root / "state.json").write_text(json.dumps(state))
    print(f"DOCKER_HOST=unix://{manager.socket}\nHELLO_IMAGE={name}:1")
    return 0


def _down(root: Path) -> int:
    try:
        state = json.loads((root / "state.json").read_text())
    except OSError:
        print(f"nothing was started in {root}", file=sys.stderr)
        return 1
    for pid in state["pids"]:
        _end(pid, root)
    Node(root / "manager", state["space"], "", "manager").stop()
    remove(**state["network"])
    shutil.rmtree(root, ignore_errors=True)
    return 0


def _end(pid: int, root: Path) -> None:
    """Only a process that still is the one we started: its command line names our directory."""
    if _is_ours(pid, root):
        os.kill(pid, signal.SIGTERM)
        until(f"the end of process {pid}", lambda: not _is_ours(pid, root), seconds=STOP_SECONDS)


def _is_ours(pid: int, root: Path) -> bool:
    try:
        return str(root).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
