"""What README says about Docker Swarm, the demo and every example, on a real one."""

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks, run
from tests.servers.dockerd import Swarm
from tests.servers.image import IMAGE

pytestmark = [pytest.mark.world_swarm, pytest.mark.xdist_group("pages")]


def environ(swarm: Swarm) -> dict[str, str]:
    images = dict.fromkeys(("HELLO_IMAGE", "SHOP_IMAGE", "KEEPER_IMAGE", "WORKER_IMAGE"), IMAGE)
    return {"DOCKER_HOST": f"unix://{swarm.manager.socket}", **images}


def test_the_swarm_blocks_of_each_page_run(dockerd: Swarm, tmp_path: Path) -> None:
    texts = [b.text for b in blocks() if b.world == "swarm"]
    assert texts
    said = run("\n".join(texts), cwd=ROOT, state=tmp_path / "state", environ=environ(dockerd))
    assert "converged" in said
    assert dockerd.api.get("/services") == []


def test_the_demo_runs(tmp_path: Path) -> None:
    """What ``make demo-swarm`` runs, with orchctl already installed; it starts and stops a swarm of its own."""
    said = run("sh docs/demo.sh swarm", cwd=ROOT, state=tmp_path / "state", environ={"ORCHCTL_DEMO_DIR": str(tmp_path)})
    assert "exit code 8, as promised" in said
    assert "boom: no database" in said
    assert "exit code 4, as promised" in said


@pytest.mark.parametrize("example", ["shop.yaml", "overlay.orch.yaml --env prod"])
def test_the_examples_run(dockerd: Swarm, tmp_path: Path, example: str) -> None:
    script = f"orchctl deploy -f specs/examples/{example} --backend swarm\norchctl delete -f specs/examples/{example} --backend swarm --yes"
    run(script, cwd=ROOT, state=tmp_path / "state", environ=environ(dockerd))
    assert dockerd.api.get("/services") == []
