"""A private network for test nodes: one bridge, one network namespace per node.

Everything an engine does to iptables, bridges and forwarding happens inside its namespace and
vanishes with it; the machine itself sees one bridge and its ends of the cables.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.packages import Unavailable


def ip(*words: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


_LETTERS = itertools.cycle("abcdefghijklmnopqrstuvwxyz")


class Network:
    """10.99.N.0/24 with the machine at .1; names carry our process id, so that two runs do not meet."""

    def __init__(self) -> None:
        # At most 15 characters for an interface; the kernel takes its time to forget one.
        self.tag = f"oc{os.getpid() % 100_000}{next(_LETTERS)}"
        self.bridge = f"{self.tag}b"
        self._spaces: list[str] = []
        with _choosing():
            self.prefix = _free_prefix()
            try:
                ip("link", "add", self.bridge, "type", "bridge")
            except RuntimeError as error:
                raise Unavailable(f"no network of its own may be made here: {error}") from None
            ip("addr", "add", f"{self.prefix}.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    @property
    def gateway(self) -> str:
        return f"{self.prefix}.1"

    def join(self, number: int) -> tuple[str, str]:
        """A namespace with a cable to the bridge; returns its name and its address."""
        space, outside, inside = f"{self.tag}n{number}", f"{self.tag}v{number}", f"{self.tag}e{number}"
        address = f"{self.prefix}.{10 + number}"
        ip("netns", "add", space)
        self._spaces.append(space)
        ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        ip("link", "set", outside, "master", self.bridge, "up")
        ip("link", "set", inside, "netns", space)
        ip("-n", space, "link", "set", inside, "name", "eth0")
        ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", space, "link", "set", "eth0", "up")
        ip("-n", space, "link", "set", "lo", "up")
        return space, address

    def close(self) -> None:
        remove(self.bridge, self._spaces)


def remove(bridge: str, spaces: Sequence[str]) -> None:
    """What a Network made, with everything that is attached to it.

    The cables go by name: the kernel clears a namespace away when nobody holds it any more, one after another for the
    whole machine, which takes longer than 20 s while other clusters end.
    """
    for line in ip("-o", "link", "show", "master", bridge, check=False).splitlines():
        ip("link", "del", line.split(": ")[1].partition("@")[0], check=False)
    for space in spaces:
        ip("netns", "del", space, check=False)
    ip("link", "del", bridge, check=False)


@contextmanager
def _choosing() -> Iterator[None]:
    """One at a time: two test runs that start together must not take the same addresses."""
    with open(Path(tempfile.gettempdir()) / "orchctl-test-network.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _free_prefix() -> str:
    taken = ip("-4", "addr", "show")
    for number in range(200):
        if f" 10.99.{number}." not in taken:
            return f"10.99.{number}"
    raise Unavailable("no free network 10.99.N.0/24")
