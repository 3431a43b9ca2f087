"""A private network for test nodes: one switch and one network namespace for each node.

Everything an engine does to iptables, bridges and forwarding happens inside its namespace and vanishes with it. The machine
itself has one end of a cable to the switch, so that tests reach the nodes and the nodes what listens at the gateway.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.servers import ledger
from tests.servers.packages import Unavailable

_CANNOT = ("Operation not permitted", "Permission denied", "Operation not supported", "Unknown device type")
"""What ``ip`` says where the kernel, or who we are, does not allow networks of our own."""
_TAKEN = "File exists"
_TRIES = 20
_SWITCH, _UPLINK = "br0", "up0"


def ip(*words: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Network:
    """10.99.N.0/24 with the machine at .1. Names are drawn: one that carries a process id could meet what a dead run left.

    The switch lies in a namespace of its own: in the machine's, another engine's ``FORWARD DROP`` together with
    net.bridge.bridge-nf-call-iptables=1 drops what the nodes say to each other (Docker 20.10, measured).
    """

    def __init__(self) -> None:
        self._spaces: list[str] = []
        self.link = self.prefix = ""
        try:
            self._lay_cable()
            with ledger.alone():
                self.prefix = _free_prefix()
                ledger.note("prefix", self.prefix)
                ip("addr", "add", f"{self.prefix}.1/24", "dev", self.link)
            ip("link", "set", self.link, "up")
            ip("-n", self.switch, "link", "add", _SWITCH, "type", "bridge")
            ip("-n", self.switch, "link", "set", _UPLINK, "master", _SWITCH, "up")
            ip("-n", self.switch, "link", "set", _SWITCH, "up")
        except BaseException:
            self.close()
            raise

    def _lay_cable(self) -> None:
        """Unavailable where no network may be made; a name that somebody has is left alone, and another one taken."""
        for attempt in range(1, _TRIES + 1):
            self.tag = _drawn()
            self.switch, link = f"{self.tag}s", f"{self.tag}l"
            try:
                self._add_space(self.switch)
                self._add_link(link)
            except RuntimeError as error:
                self.close()
                if any(text in str(error) for text in _CANNOT):
                    raise Unavailable(f"no network of its own may be made here: {error}") from None
                if _TAKEN not in str(error) or attempt == _TRIES:
                    raise
            else:
                return

    @property
    def gateway(self) -> str:
        return f"{self.prefix}.1"

    def join(self, number: int) -> tuple[str, str]:
        """A namespace with a cable to the switch; returns its name and its address."""
        space, outside = f"{self.tag}n{number}", f"v{number}"
        address = f"{self.prefix}.{10 + number}"
        self._add_space(space)
        ip("-n", self.switch, "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("-n", self.switch, "link", "set", outside, "master", _SWITCH, "up")
        ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", space, "link", "set", "eth0", "up")
        ip("-n", space, "link", "set", "lo", "up")
        return space, address

    def state(self) -> dict[str, Any]:
        """For ``remove``, in another process."""
        return {"link": self.link, "spaces": self._spaces}

    def close(self) -> None:
        remove(self.link, self._spaces)
        if self.prefix:
            ledger.forget("prefix", self.prefix)

    def _add_link(self, name: str) -> None:
        ledger.note("link", name)
        try:
            ip("link", "add", name, "type", "veth", "peer", "name", _UPLINK, "netns", self.switch)
        except RuntimeError:
            ledger.forget("link", name)
            raise
        self.link = name

    def _add_space(self, name: str) -> None:
        ledger.note("space", name)
        try:
            ip("netns", "add", name)
        except RuntimeError:
            ledger.forget("space", name)
            raise
        self._spaces.append(name)


def remove(link: str, spaces: Sequence[str]) -> None:
    """What a Network made, with everything that is attached to it.

    The cable goes by name: the kernel clears a namespace away when nobody holds it any more, one after another for the
    whole machine, which takes longer than 20 s while other clusters end.
    """
    if link:
        ip("link", "del", link, check=False)
    for space in spaces:
        ip("netns", "del", space, check=False)


def _drawn() -> str:
    """An interface's name has at most 15 characters, and a letter or a digit follows these eight."""
    return f"oc{secrets.token_hex(3)}"


def _free_prefix() -> str:
    """One that no interface and no route of this machine has, nor the pods and services of a Kubernetes (10.98, 10.97), nor
    a living run: what that has need not be seen from here."""
    taken = " ".join((ip("-4", "addr", "show") + ip("-4", "route", "show", "table", "all")).split())
    spoken_for = ledger.held("prefix")
    for number in range(200):
        prefix = f"10.99.{number}"
        if prefix not in spoken_for and not any(f"10.{net}.{number}." in taken for net in (97, 98, 99)):
            return prefix
    raise RuntimeError("no free network 10.99.N.0/24")
