"""What the pages say about Docker Swarm, the demo and every example, on a real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages_of, run, run_page
from tests.servers.dockerd import Swarm
from tests.servers.image import IMAGE
from tests.servers.registry import Registry

pytestmark = [pytest.mark.world_swarm, pytest.mark.xdist_group("pages")]


@pytest.fixture(scope="module")
def environ(dockerd: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The engine, and an image in a registry that it reaches, as a user would have it."""
    assert dockerd.network
    with Registry(tmp_path_factory.mktemp("registry"), f"{dockerd.network.gateway}:5001") as registry:
        name = f"{registry.address}/busybox"
        dockerd.api.post(f"/images/{IMAGE}/tag", repo=name, tag="1")
        dockerd.push(name, "1")
        images = dict.fromkeys(("HELLO_IMAGE", "SHOP_IMAGE", "KEEPER_IMAGE", "WORKER_IMAGE"), f"{name}:1")
        yield {"DOCKER_HOST": f"unix://{dockerd.manager.socket}", **images}


@pytest.mark.parametrize("page", pages_of("swarm"))
def test_the_swarm_blocks_of_a_page_run(dockerd: Swarm, environ: dict[str, str], tmp_path: Path, page: str) -> None:
    said = run_page(page, "swarm", tmp_path / "page", environ)
    assert "converged" in said
    if page == "docs/tutorials/swarm.md":
        assert "exit code 8\n" in said
        assert "boom: no database" in said
    assert dockerd.api.get("/services") == []


@pytest.mark.soak
def test_the_demo_runs(tmp_path: Path) -> None:
    """What ``make demo-swarm`` runs, with orchctl already installed; it starts and stops a swarm of its own."""
    said = run("sh docs/demo.sh swarm", cwd=ROOT, state=tmp_path / "state", environ={"ORCHCTL_DEMO_DIR": str(tmp_path)})
    assert "exit code 8, as promised" in said
    assert "boom: no database" in said
    assert "exit code 4, as promised" in said


@pytest.mark.parametrize("example", [pytest.param("shop.yaml", marks=pytest.mark.soak), "overlay.orch.yaml"])
def test_the_examples_run(dockerd: Swarm, environ: dict[str, str], tmp_path: Path, example: str) -> None:
    script = f"orchctl deploy -f specs/examples/{example} --backend swarm\norchctl delete -f specs/examples/{example} --backend swarm --yes"
    run(script, cwd=ROOT, state=tmp_path / "state", environ=environ)
    assert dockerd.api.get("/services") == []
