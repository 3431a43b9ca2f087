"""Installs the Debian packages that the servers need, when they are missing and we may."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import surroundings
from tests.servers import ledger

POLICY = Path("/usr/sbin/policy-rc.d")
_OUR_POLICY = "#!/bin/sh\n# Of orchctl's tests, while they install packages.\nexit 101\n"

PROGRAMS = {
    "dockerd": ("docker.io", "the container engine that swarm tests run on"),
    "iptables": ("iptables", "the container engine filters its bridges with it"),
    "busybox": ("busybox-static", "the whole user land of the test images"),
    "docker-registry": ("docker-registry", "a registry on loopback: digests, credentials, missing images"),
    "ip": ("iproute2", "network namespaces of the three-node swarm"),
    "containerd": ("containerd", "runs the containers of the Kubernetes node"),
    "runc": ("runc", "starts the containers of the Kubernetes node"),
    "/usr/lib/cni/bridge": ("containernetworking-plugins", "gives the pods of the Kubernetes node their addresses"),
    "nft": ("nftables", "the rules of Kubernetes' services"),
    "conntrack": ("conntrack", "Kubernetes' proxy forgets connections with it"),
    "ethtool": ("ethtool", "the kubelet asks for it"),
    "socat": ("socat", "Kubernetes' port forwarding"),
    "zsh": ("zsh", "completion is tested in it"),
    "fish": ("fish", "completion is tested in it"),
    "haproxy": ("haproxy", "reads what discover prints for it"),
    "nginx": ("nginx-light", "reads what discover prints for it"),
    "shellcheck": ("shellcheck", "reads the scripts of the wrappers for CI services"),
    "buildah": ("buildah", "builds the image of the Containerfile"),
    "promtool": ("prometheus", "reads what discover prints for Prometheus"),
}
SWARM = ("dockerd", "iptables", "busybox", "docker-registry", "ip")
KUBERNETES = (
    *("containerd", "runc", "/usr/lib/cni/bridge", "iptables", "nft", "conntrack", "ethtool", "socat"),
    *("busybox", "docker-registry", "ip"),
)


class Unavailable(Exception):
    """The server cannot run here; the text is the reason to skip."""


def need(*programs: str) -> None:
    """Return when every program is on the path, installing what is missing. Unavailable with the reason where that is not
    possible; RuntimeError when it is, and failed: what this machine can run may not be skipped."""
    if os.geteuid() != 0:
        raise Unavailable("needs root: it starts a container engine of its own")
    if sys.platform != "linux":
        raise Unavailable("needs Linux: its containers run on this machine's own kernel")
    _forget_policy()
    missing = [p for p in programs if not _which(p)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Unavailable(f"{', '.join(missing)} not found, and this is no Debian system to install it on")
    for program in missing:
        package, reason = PROGRAMS[program]
        print(f"installing the Debian package {package}: {reason}", file=sys.stderr)
    _install([PROGRAMS[p][0] for p in missing])
    if absent := [p for p in missing if not _which(p)]:
        raise RuntimeError(f"{', '.join(absent)} still not found after the installation")


def _which(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _install(packages: list[str]) -> None:
    """Three times at most: another apt run may clean the archive directory under ours ("failed to read archive").

    Before each, what a killed run left half done is brought to its end: apt refuses to begin otherwise ("dpkg was
    interrupted", or "try apt --fix-broken install" when a package was not even unpacked).
    """
    apt = ["apt-get", "-y", "-q", "--no-install-recommends", "--no-remove", "-o", "DPkg::Lock::Timeout=120"]
    with ledger.alone("packages"), _no_autostart():
        for _ in range(3):
            _run("dpkg", "--force-confold", "--configure", "-a")
            done = _run(*apt, "install", *packages)
            if done.returncode == 0:
                return
            _run("apt-get", "update", "-q")
            if "--fix-broken" in done.stdout + done.stderr:
                _run(*apt, "--fix-broken", "install")
    raise RuntimeError(f"apt-get install {' '.join(packages)} failed: {done.stderr.strip()[-400:]}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    """Without our mark: when this run dies, an installation that is under way goes on to its end."""
    environment = {name: value for name, value in surroundings.outside().items() if name != ledger.MARK}
    environment |= {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


@contextmanager
def _no_autostart() -> Iterator[None]:
    """Debian starts services at installation unless this file says no."""
    if POLICY.exists() and not _is_ours():
        yield
        return
    POLICY.write_text(_OUR_POLICY)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def _forget_policy() -> None:
    """One that a killed run left: no service would ever start at its installation again."""
    if _is_ours():
        with ledger.alone("packages"):
            if _is_ours():
                POLICY.unlink()


def _is_ours() -> bool:
    try:
        return POLICY.read_text() == _OUR_POLICY
    except OSError:
        return False


def main() -> int:
    """Before the tests, so that an installation does not eat their time-outs. What cannot be had here is skipped by them;
    exit 1 when it can, and failed."""
    try:
        need(*SWARM)
    except Unavailable as reason:
        print(f"no container engine for the tests: {reason}", file=sys.stderr)
    except RuntimeError as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
