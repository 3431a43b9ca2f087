"""What the pages say about plain processes, and the demo, on real ones."""

import re
from pathlib import Path

import pytest

import orchctl_kubernetes.options
import orchctl_local.claims
import orchctl_marathon.options
import orchctl_swarm.options
from tests.docs.blocks import ROOT, pages_of, run, run_page


def test_every_option_of_a_backend_is_on_its_page() -> None:
    page = (ROOT / "docs" / "options.md").read_text("utf-8")
    known = {
        "kubernetes": set(orchctl_kubernetes.options.Options.__dataclass_fields__),
        "local": set(orchctl_local.claims.OPTIONS),
        "marathon": set(orchctl_marathon.options.Options.__dataclass_fields__),
        "swarm": set(orchctl_swarm.options.Options.__dataclass_fields__),
    }
    for name, options in known.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        told = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
        assert told == options


SAID = {
    "docs/tutorials/local.md": ["hello: unchanged", "exit code 8\n", "  | boom: no database", "hello: deleted"],
    "docs/how-to/roll-back.md": [
        "web: converged, revision 3",
        "web: converged, revision 4",
        "the new greeting is rude",
    ],
    "docs/how-to/why-did-it-fail.md": [
        "exit code 8\n",
        "exit code 7\n",
        "  | boom: no database",
        "E0503: Another command",
    ],
    "docs/how-to/secrets.md": ["web: converged, revision 1", "web: converged, revision 2"],
}
"""What a page promises, in the words of the program."""


@pytest.mark.world_local
@pytest.mark.parametrize("page", pages_of("local"))
def test_the_local_blocks_of_a_page_run_one_after_the_other(tmp_path: Path, page: str) -> None:
    said = run_page(page, "local", tmp_path / "page")
    assert "Traceback" not in said
    assert [words for words in SAID.get(page, ()) if words not in said] == []
    assert [value for value in ("correct horse", "battery staple", "not-in-any-record") if value in said] == []
    assert not (tmp_path / "page-state" / "local").exists()


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
