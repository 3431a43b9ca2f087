"""What somebody sees at a real terminal who clones the project, runs the demo and deploys a service of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.stranger import ROOT, demo, walk

pytestmark = pytest.mark.world_local


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is no clone of a repository")
    found = tmp_path / "orchctl-walk"
    found.mkdir()
    return found


@pytest.mark.soak
def test_the_demo_of_a_clone_at_a_terminal(directory: Path) -> None:
    """``test_pages_local`` runs it in every gate, and it checks itself; here: that its reader sees it."""
    clone, shown = demo(directory)
    assert (clone.code, shown.code) == (0, 0), shown.screen
    assert "(exit code 8, as promised)" in shown.written
    assert "boom: no database" in shown.written
    assert "(exit code 4, as promised)" in shown.written
    assert shown.written.count("answers: hello again") >= 3
    assert "# Done." in shown.screen


def test_from_the_clone_to_a_service_of_ones_own(directory: Path) -> None:
    clone, init, _, typo, _, deploy, status, delete, after = walk(directory)
    assert [step.code for step in (clone, init, deploy, status, delete, after)] == [0] * 6, deploy.screen

    assert "wrote orch.yaml; check it with: orchctl validate -f orch.yaml" in init.screen
    assert typo.code == 2
    assert "error[E0220]: there is no field 'replica'" in typo.screen
    assert "replica: 2" in typo.screen

    assert "shop: converged, revision 1, 2/2 ready" in deploy.screen
    assert "0/2 ready" in deploy.written  # the live view was there while it lasted
    assert "0/2 ready" not in deploy.screen
    assert [line.split()[:3] for line in status.screen.splitlines()[-1:]] == [["shop", "healthy", "2/2"]]
    assert "Delete shop" in delete.screen
    assert "shop: deleted" in delete.screen
    assert "no services in namespace default" in after.screen
    assert not (directory / "state" / "local").exists()
