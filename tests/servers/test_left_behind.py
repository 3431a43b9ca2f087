"""Each world, killed together with the run that it belongs to: one sweep, and nothing of it is left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import ledger, leftovers, packages
from tests.servers.absence import absent
from tests.servers.consul import build as consul_build
from tests.servers.dying import Dying
from tests.servers.kubernetes import build as kubernetes_build
from tests.servers.marathon.container import is_possible

_LOCAL = """
from orchctl.testing.driver import Driver
from tests.worlds.local import LocalWorld
found = LocalWorld(Path(sys.argv[2]))
Driver(found).deploy(found.service())
print(found.root)
"""
_MARATHON = """
from tests.servers.marathon import Marathon
from tests.servers.marathon.client import Client
from tests.servers.marathon.containers import busybox
server = Marathon(images={"box:1": busybox(Path(sys.argv[2]) / "image")}).start()
docker = {"image": "box:1", "parameters": [{"key": "init", "value": "true"}]}
for number, container in enumerate((None, {"type": "DOCKER", "docker": docker})):
    app = {"id": f"/app{number}", "cmd": "sleep 600 & exec sleep 600", "instances": 2}
    Client(server.url).post("/v2/apps", app | ({"container": container} if container else {}))
server.wait_deployed()
print(server.engine.root)
"""
_CONSUL = """
from tests.servers.consul.agent import Consul
print(Consul().start().root)
"""
_SWARM = """
from tests.servers.dockerd import Swarm
from tests.servers.image import IMAGE
from tests.servers.registry import Registry
from tests.servers.waiting import until
swarm = Swarm().start()
Registry(swarm.root / "registry", f"{swarm.network.gateway}:5000").start()
task = {"ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "600"]}}
swarm.api.post("/services/create", {"Name": "web", "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": 2}}})
until("two containers", lambda: len(swarm.api.get("/containers/json")) == 2)
print(swarm.root, *swarm.network.state()["spaces"])
"""
_KUBERNETES = """
from tests.servers.kubernetes.cluster import Cluster
cluster = Cluster().start()
print(cluster.root, *cluster.network.state()["spaces"])
"""


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """What a run that makes this said, after SIGKILL and one sweep."""
    folder = tmp_path / "ledger"
    (tmp_path / "state").mkdir()

    def run(made: str) -> list[str]:
        with Dying(folder, made, tmp_path / "state") as owner:
            said = owner.wait()
            owner.kill()
            assert living(said)
            assert [line for line in ledger.sweep(folder) if ledger.is_refusal(line)] == []
        return said

    yield run
    ledger.sweep(folder)


Killed = Callable[[str], list[str]]


@pytest.mark.world_local
def test_local(killed: Killed) -> None:
    assert_gone(killed(_LOCAL))


@pytest.mark.world_marathon
def test_marathon(killed: Killed) -> None:
    if not is_possible():
        absent("marathon", "containers need root on Linux")
    assert_gone(killed(_MARATHON))


@pytest.mark.world_consul
def test_consul(killed: Killed) -> None:
    _need("consul", consul_build.consul)
    assert_gone(killed(_CONSUL))


@pytest.mark.world_swarm
@pytest.mark.xdist_group("left behind")
def test_swarm(killed: Killed) -> None:
    _need("swarm", lambda: packages.need(*packages.SWARM))
    assert_gone(killed(_SWARM))


@pytest.mark.world_kubernetes
@pytest.mark.xdist_group("left behind")
def test_kubernetes(killed: Killed) -> None:
    _need("kubernetes", lambda: packages.need(*packages.KUBERNETES))
    _need("kubernetes", kubernetes_build.kubecluster)
    assert_gone(killed(_KUBERNETES))


def _need(world: str, get: Callable[[], object]) -> None:
    try:
        get()
    except packages.Unavailable as reason:
        absent(world, reason)


def assert_gone(said: list[str]) -> None:
    """A directory of the world, and names of namespaces."""
    root, *spaces = said
    assert living(said) == []
    assert leftovers.mounts_below(root) == []
    assert not Path(root).exists()
    for space in spaces:
        assert not Path("/run/netns", space).exists()
        assert [f for f in leftovers.cgroup_folders(f"orchctl-{space}") if f.exists()] == []


def living(said: list[str]) -> list[str]:
    """Every process that works below the world's directory or names it, a container's too."""
    found = [p for entry in Path("/proc").iterdir() if entry.name.isdigit() and (p := leftovers.look(int(entry.name)))]
    return [f"{p.pid} {p.name}" for p in found if p.pid != os.getpid() and said[0].encode() in _everything(p.pid)]


def _everything(pid: int) -> bytes:
    said = b""
    for name in ("cmdline", "environ", "cgroup"):
        try:
            said += Path("/proc", str(pid), name).read_bytes()
        except OSError:
            continue
    for name in ("cwd", "root", "exe"):
        try:
            said += os.readlink(f"/proc/{pid}/{name}").encode()
        except OSError:
            continue
    return said
