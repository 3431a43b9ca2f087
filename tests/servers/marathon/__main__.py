"""A Marathon that outlives the command that starts it: ``python -m tests.servers.marathon up|down DIR``.

``up`` prints shell variables: MARATHON_URL, MESOS_URL, and HELLO_IMAGE, an image that its agents can run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers import ledger
from tests.servers.marathon import Marathon
from tests.servers.marathon.containers import busybox
from tests.servers.packages import Unavailable
from tests.servers.waiting import until

IMAGE = "busybox:1.36"
_STATE, _LOG = "state.json", "server.log"


def main(arguments: Sequence[str]) -> int:
    """Exit 0, 1 when it cannot be done here, 2 for wrong arguments."""
    commands: Mapping[str, Callable[[Path], int]] = {"up": _up, "down": _down, "serve": _serve}
    if len(arguments) != 2 or arguments[0] not in commands:
        print("usage: python -m tests.servers.marathon up|down DIR", file=sys.stderr)
        return 2
    return commands[arguments[0]](Path(arguments[1]).resolve())


def _up(root: Path) -> int:
    if (root / _STATE).exists():
        print(f"one was started in {root} already; stop it first: down {root}", file=sys.stderr)
        return 1
    ledger.disown()
    ledger.note("path", root)
    root.mkdir(parents=True, exist_ok=True)
    with (root / _LOG).open("wb") as log:
        command = [sys.executable, "-m", "tests.servers.marathon", "serve", str(root)]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    until("an answer of the server", lambda: (root / _STATE).exists() or server.poll() is not None)
    if server.poll() is not None:
        print(f"no Marathon here: {(root / _LOG).read_text().strip()}", file=sys.stderr)
        shutil.rmtree(root)
        return 1
    found = json.loads((root / _STATE).read_text())
    print("\n".join(f"{name}={value}" for name, value in found["variables"].items()))
    return 0


def _serve(root: Path) -> int:
    """Until SIGTERM."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    try:
        image = busybox(root / "image")
    except Unavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    with Marathon(images={IMAGE: image}, features=("task_killing",)) as server:
        variables = {"MARATHON_URL": server.url, "MESOS_URL": server.mesos_url, "HELLO_IMAGE": IMAGE}
        new = root / f"{_STATE}.new"
        new.write_text(json.dumps({"pid": os.getpid(), "variables": variables}))
        new.replace(root / _STATE)
        over.wait()
    return 0


def _down(root: Path) -> int:
    try:
        pid = int(json.loads((root / _STATE).read_text())["pid"])
    except OSError:
        print(f"nothing was started in {root}", file=sys.stderr)
        return 1
    if _is_ours(pid, root):
        os.kill(pid, signal.SIGTERM)
        until("the end of the server", lambda: not _is_ours(pid, root))
    shutil.rmtree(root, ignore_errors=True)
    return 0


def _is_ours(pid: int, root: Path) -> bool:
    """The number may be somebody else's by now. A process that has ended has no command line."""
    try:
        return str(root).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
