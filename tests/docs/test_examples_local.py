"""Every example spec is deployed as plain processes, or refused with the reason the example gives."""

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, run

pytestmark = pytest.mark.world_local

EXAMPLES = {
    "hello.yaml": {},
    "shop.yaml": {},
    "secrets.yaml": {"KEEPER_TOKEN": "not-so-secret"},
    "overlay.orch.yaml": {},
}
OVERLAYS = {"overlay.prod.orch.yaml"}


def test_every_example_is_known() -> None:
    assert {p.name for p in (ROOT / "specs" / "examples").glob("*.yaml")} == set(EXAMPLES) | OVERLAYS


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_runs(tmp_path: Path, example: str) -> None:
    path = f"specs/examples/{example}"
    script = f"orchctl deploy -f {path} --backend local\norchctl delete -f {path} --backend local --yes"
    said = run(script, cwd=ROOT, state=tmp_path / "state", environ=EXAMPLES[example])
    assert "not-so-secret" not in said
    assert not (tmp_path / "state" / "local").exists()


def test_the_overlay_is_laid_over_its_base(tmp_path: Path) -> None:
    """Its placement needs several nodes, so here it is rendered; the base alone is deployed above."""
    path = "specs/examples/overlay.orch.yaml --env prod"
    said = run(
        f"orchctl render -f {path} --resolved\norchctl render -f {path} --backend swarm", cwd=ROOT, state=tmp_path
    )
    assert "overlay.prod.orch.yaml:" in said
    assert "MaxReplicas: 2" in said
    assert "BATCH" not in said
