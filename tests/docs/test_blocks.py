"""No block of a page is left to itself: shell is run, specs and configurations are read, or the page says why not."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from orchctl.cli.configuration import load_configuration
from orchctl.core.registry import ENTRY_POINTS, known_names
from orchctl.spec.source import SpecRequest, load_services
from tests.docs.blocks import ROOT, WORLDS, Block, blocks, pages, pages_of

READ = ("python", "sh", "text", "toml", "yaml")
"""The languages that somebody looks at below; any other would be a block that nobody reads."""


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_somebody_reads_the_block(block: Block) -> None:
    assert block.language in READ
    assert block.why or not block.note.startswith("not run"), "say why it is not run"
    if block.language == "sh":
        assert block.world in WORLDS or block.why, f"nobody runs it: {block.note}"
    else:
        assert not block.world, f"a block of {block.language} is not run"


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_runs_its_pages(world: str) -> None:
    source = (ROOT / "tests" / "docs" / f"test_pages_{world}.py").read_text("utf-8")
    assert f'pages_of("{world}")' in source
    assert f'run_page(page, "{world}", ' in source
    assert "README.md" in pages_of(world)


def test_no_page_hides_shell_in_an_indented_block() -> None:
    for page in pages():
        lines = (ROOT / page).read_text("utf-8").splitlines()
        assert [line for line in lines if line.startswith(("    $ ", "    orchctl "))] == [], page


@pytest.mark.parametrize("block", [b for b in blocks() if b.language == "yaml" and not b.why], ids=str)
def test_yaml_is_a_spec(block: Block, tmp_path: Path) -> None:
    whole = yaml.safe_load(block.text)
    if block.note == "part of a spec":
        assert "name" not in whole
        whole = {"name": "web", "image": "registry.example.com/web:1", **whole}
    (tmp_path / "orch.yaml").write_text(json.dumps(whole), "utf-8")
    request = SpecRequest(files=("orch.yaml",), cwd=tmp_path, known_backends=known_names())
    assert [resolved.service.name for resolved in load_services(request)]


@pytest.mark.parametrize("block", [b for b in blocks() if b.language == "toml" and not b.why], ids=str)
def test_toml_is_a_configuration_or_names_a_backend(block: Block, tmp_path: Path) -> None:
    if project := tomllib.loads(block.text).get("project"):
        assert project.keys() == {"entry-points"}
        assert project["entry-points"].keys() == {ENTRY_POINTS}
        return
    file = tmp_path / "config.toml"
    file.write_text(block.text, "utf-8")
    found = load_configuration(tmp_path, {"ORCHCTL_CONFIG": str(file)})
    assert found.default in found.contexts


@pytest.mark.parametrize("block", [b for b in blocks() if b.language == "python"], ids=str)
def test_python_is_python(block: Block) -> None:
    compile(block.text, str(block), "exec")
