"""First process of the node, in namespaces of its own: ``init.py DIR``.

containerd, the kubelet and the plug-ins of the network keep files at fixed places of the machine. Here these places
are copy-on-write, so that two nodes do not meet and nothing is left behind; with this process everything of the node
ends. It runs as a script, without the project on its path.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

# Pod sandboxes (/run/netns), shims (/run/containerd), device plug-ins and network results (/var/lib), log links.
_FIXED = (Path("/run"), Path("/var/lib"), Path("/var/log"))
# The kubelet wants these values and writes them where they differ: for the whole machine, not for its namespaces.
_SYSCTLS = {
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}


def main(root: Path) -> None:
    own = root / "own"
    own.mkdir()
    _mount("-t", "tmpfs", "tmpfs", own)
    for path in _FIXED:
        upper, work = own / path.name / "upper", own / path.name / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        _mount("-t", "overlay", "overlay", "-o", f"lowerdir={path},upperdir={upper},workdir={work}", path)
    for name, value in _SYSCTLS.items():
        if (place := Path("/proc/sys", name)).exists():
            fake = own / name.replace("/", ".")
            fake.write_text(value + "\n")
            _mount("--bind", fake, place)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    (root / "ready").touch()
    while True:
        signal.sigwait({signal.SIGCHLD})
        _reap()


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True, timeout=20)


def _reap() -> None:
    """Orphans become children of the first process; nobody else waits for them."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
