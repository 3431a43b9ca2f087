"""What somebody sees at a real terminal who clones the project, runs the demo and deploys a service of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.stranger import ROOT, walk

pytestmark = pytest.mark.world_local


def test_from_the_clone_to_a_service_of_ones_own(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is no clone of a repository")
    (tmp_path / "orchctl-walk").mkdir()
    clone, demo, init, _, typo, _, deploy, status, delete, after = walk(tmp_path / "orchctl-walk")
    assert [step.code for step in (clone, demo, init, deploy, status, delete, after)] == [0] * 7, demo.screen

    # The demo checks itself; here: that its reader sees it.
    assert "(exit code 8, as promised)" in demo.written
    assert "boom: no database" in demo.written
    assert "(exit code 4, as promised)" in demo.written
    assert demo.written.count("answers: hello again") >= 3
    assert "# Done." in demo.screen

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
    assert not (tmp_path / "orchctl-walk" / "state" / "local").exists()
