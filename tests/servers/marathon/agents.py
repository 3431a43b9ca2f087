"""Mesos agents: machines with resources, of which offers are made."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

PRIVATE_PORTS = range(31000, 32001)
"""What a Mesos agent offers by default; below the range from which Linux takes ports for clients."""


@dataclass
class Agent:
    """``cpus`` in cores, ``mem`` and ``disk`` in MiB. ``role`` "*" offers to everybody."""

    host: str = "127.0.0.1"
    cpus: float = 8
    mem: float = 16384
    disk: float = 100000
    attributes: Mapping[str, str] = field(default_factory=dict)
    role: str = "*"
    id: str = ""
    is_up: bool = True
    """False: it offers nothing, and its tasks are unreachable."""


def three_agents() -> list[Agent]:
    """Those of the recordings."""
    return [Agent(f"127.0.0.{number + 1}", attributes={"rack": f"rack-{number}"}) for number in range(3)]


class Ports:
    """Free ports, claimed on the whole machine so that servers of parallel tests do not take the same one."""

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket] = {}

    def take(self, count: int, host: str) -> list[int]:
        """``count`` ports in a row that nobody listens on at ``host``; OSError when there are none."""
        start = random.randrange(len(PRIVATE_PORTS))
        order = itertools.chain(PRIVATE_PORTS[start:], PRIVATE_PORTS[:start])
        for first in order:
            run = range(first, first + count)
            if all(self._claim(port, host) for port in run):
                return list(run)
            self.release(run)
        raise OSError("no free port left for a task")

    def take_exactly(self, port: int, host: str) -> bool:
        return self._claim(port, host)

    def is_free(self, port: int, host: str) -> bool:
        return port not in self._claims and _is_free(port, host)

    def release(self, ports: range | list[int]) -> None:
        for port in ports:
            if claim := self._claims.pop(port, None):
                claim.close()

    def _claim(self, port: int, host: str) -> bool:
        if port in self._claims or not _is_free(port, host):
            return False
        claim = _claimed(f"port-{port}")
        if claim:
            self._claims[port] = claim
        return claim is not None


class Addresses:
    """Addresses of 127/8 for containers, each handed out once, and by one server on the whole machine only: two tests
    that run side by side both listen on the container's port."""

    def __init__(self) -> None:
        self._claims: list[socket.socket] = []
        self._left: Iterator[str] = iter(())

    def take(self) -> str:
        """One that nobody had before; OSError when there are none."""
        if (found := next(self._left, "")) == "":
            self._left = self._more()
            found = next(self._left)
        return found

    def _more(self) -> Iterator[str]:
        """The 254 addresses of a network that no other server has."""
        start = random.choice(_NETWORKS)
        for number in (*_NETWORKS[start:], *_NETWORKS[:start]):
            if claim := _claimed(f"network-{number}"):
                self._claims.append(claim)
                return (f"127.{77 + number // 256}.{number % 256}.{low}" for low in range(1, 255))
        raise OSError("no free network left for a task")

    def close(self) -> None:
        for claim in self._claims:
            claim.close()


_NETWORKS = range(178 * 256)
"""127.77.0 to 127.254.255."""


def _claimed(name: str) -> socket.socket | None:
    """A claim on ``name``, or None when somebody has it: a Unix socket in Linux' abstract namespace, atomic and gone with
    its process."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.uname().sysname == "Linux":
            claim.bind(f"\0orchctl-test-{name}")
    except OSError:
        claim.close()
        return None
    return claim


def _is_free(port: int, host: str) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
