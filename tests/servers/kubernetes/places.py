"""Where one cluster lives: its directory, its network namespace and its addresses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

API_PORT = 6443
REGISTRY_PORT = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """``space`` is the network namespace, ``address`` its end of the cable to the machine, ``gateway`` the machine's.

    10.99.N.0/24 is the cable, 10.98.N.0/24 has the pods, 10.97.N.0/24 the services; N differs between two runs.
    """

    root: Path
    space: str
    address: str
    gateway: str

    @property
    def number(self) -> str:
        return self.address.split(".")[2]

    @property
    def pods(self) -> str:
        return f"10.98.{self.number}.0/24"

    @property
    def pods_gateway(self) -> str:
        return f"10.98.{self.number}.1"

    @property
    def services(self) -> str:
        return f"10.97.{self.number}.0/24"

    @property
    def kubernetes_service(self) -> str:
        return f"10.97.{self.number}.1"

    @property
    def bridge(self) -> str:
        return "pods"

    @property
    def server(self) -> str:
        return f"https://{self.address}:{API_PORT}"

    @property
    def registry(self) -> str:
        return f"{self.gateway}:{REGISTRY_PORT}"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def audit(self) -> Path:
        return self.root / "audit.log"

    def inside(self) -> list[str]:
        """Not ``ip netns exec``: that mounts a /sys of its own, without the cgroups."""
        return ["nsenter", f"--net=/run/netns/{self.space}"]
