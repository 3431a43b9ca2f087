"""A cluster that outlives the command that starts it: ``python -m tests.servers.kubernetes up|down DIR``.

``up`` prints shell variables: KUBECONFIG of an administrator, the network namespace, and an image that it can run.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers import ledger
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.kubernetes.images import IMAGE
from tests.servers.kubernetes.node import Node
from tests.servers.kubernetes.places import Places
from tests.servers.network import remove
from tests.servers.packages import Unavailable
from tests.servers.program import Program


def main(arguments: Sequence[str]) -> int:
    """Exit 0, 1 when it cannot be done here, 2 for wrong arguments."""
    if len(arguments) != 2 or arguments[0] not in ("up", "down"):
        print("usage: python -m tests.servers.kubernetes up|down DIR", file=sys.stderr)
        return 2
    root = Path(arguments[1]).resolve()
    return _up(root) if arguments[0] == "up" else _down(root)


def _up(root: Path) -> int:
    if (root / "state.json").exists():
        print(f"one was started in {root} already; stop it first: down {root}", file=sys.stderr)
        return 1
    ledger.disown()
    root.mkdir(parents=True, exist_ok=True)
    try:
        cluster = Cluster(root).start()
    except (Unavailable, TimeoutError, RuntimeError) as reason:
        print(f"no Kubernetes here: {reason}", file=sys.stderr)
        return 1
    (root / "state.json").write_text(json.dumps(cluster.state()))
    print(f"KUBECONFIG={cluster.admin}\nSPACE={cluster.places.space}\nHELLO_IMAGE={IMAGE}")
    return 0


def _down(root: Path) -> int:
    try:
        state = json.loads((root / "state.json").read_text())
    except OSError:
        print(f"nothing was started in {root}", file=sys.stderr)
        return 1
    node = Node(Places(root=root, **state["places"]), Path())
    node.adopt(state["node"])
    node.stop()
    for name, pid in state["pids"].items():
        program = Program(name, [], root / "log" / f"{name}.log")
        program.adopt(pid, str(root))
        program.kill()
    remove(**state["network"])
    shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
