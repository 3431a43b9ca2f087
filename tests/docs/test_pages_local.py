"""Every block of README and docs does what the page says, on plain processes."""

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks, run


def test_every_block_says_how_it_is_run() -> None:
    found = blocks()
    assert {b.world for b in found} <= {"local", "swarm", ""}
    assert all(b.why for b in found if not b.world)
    assert len([b for b in found if b.world]) >= 3


@pytest.mark.world_local
def test_the_local_blocks_of_each_page_run_one_after_the_other(tmp_path: Path) -> None:
    pages: dict[str, list[str]] = {}
    for block in blocks():
        if block.world == "local":
            pages.setdefault(block.page, []).append(block.text)
    assert "README.md" in pages
    for page, texts in pages.items():
        directory = tmp_path / page.replace("/", "-")
        directory.mkdir()
        said = run("\n".join(texts), cwd=directory, state=tmp_path / "state")
        assert "Traceback" not in said
    assert not (tmp_path / "state" / "local").exists()


@pytest.mark.world_local
def test_the_demo_runs(tmp_path: Path) -> None:
    """What ``make demo`` runs, with orchctl already installed."""
    script = (ROOT / "docs" / "demo.sh").read_text("utf-8")
    assert "orchctl delete" in script
    said = run("sh docs/demo.sh local", cwd=ROOT, state=tmp_path / "state", environ={"ORCHCTL_DEMO_DIR": str(tmp_path)})
    assert "exit code 8, as promised" in said
    assert "boom: no database" in said
    assert "exit code 4, as promised" in said
    assert said.count("answers: hello again") >= 3
