"""The committed reference pages say what the code says. ``ORCHCTL_UPDATE=1`` writes them anew."""

from __future__ import annotations

import os
import re
import tomllib

from orchctl.cli.explain import EXIT_CODES, codes
from orchctl.cli.manual.places import CATALOGS, COMMON, SETTINGS, VARIABLES
from orchctl.cli.manual.reference import pages
from orchctl.cli.output_schemas import KINDS
from orchctl.cli.verbs import VERBS
from tests.docs.blocks import ROOT

REFERENCE = ROOT / "docs" / "reference"


def test_the_committed_pages_are_fresh() -> None:
    for name, text in pages().items():
        if os.environ.get("ORCHCTL_UPDATE"):
            (REFERENCE / name).write_text(text, "utf-8")
        assert (REFERENCE / name).read_text("utf-8") == text, f"{name} is stale: run the tests with ORCHCTL_UPDATE=1"
    assert {path.name for path in REFERENCE.iterdir()} == {*pages(), "fields.md"}


def test_nothing_is_left_out() -> None:
    made = pages()
    assert [verb for verb in VERBS if f"\n## {verb}\n" not in made["verbs.md"]] == []
    assert [code for code in (*map(str, EXIT_CODES), *codes()) if f"| `{code}` | " not in made["errors.md"]] == []
    assert [kind for kind in KINDS if f"\n## {kind}\n" not in made["outputs.md"]] == []
    told = (*COMMON, *CATALOGS, *VARIABLES, *(key for keys in SETTINGS.values() for key in keys))
    assert [name for name in told if f"| `{name}` | " not in made["configuration.md"]] == []


def test_the_page_of_the_fields_is_the_published_list() -> None:
    assert (REFERENCE / "fields.md").read_text("utf-8") == '--8<-- "specs/fields.md"\n'


def test_the_readme_names_every_verb_and_every_extra() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[^|]+) \|", text.partition("\n## Commands\n")[2], re.MULTILINE)
    told = {word for cell in rows for quoted in re.findall(r"`([^`]+)`", cell) for word in quoted.split()}
    assert [verb for verb in VERBS if verb not in told] == []
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert [name for name in extras if name not in ("all", "dev", "docs") and f"'.[{name}]'" not in text] == []


def test_the_wrappers_name_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    wanted = [name for name in extras if name not in ("all", "dev", "docs")]
    page = (ROOT / "docs" / "ci.md").read_text("utf-8")
    [row] = re.findall(r"^\| `extras` \|.*$", page, re.MULTILINE)
    [line] = re.findall(r"^  extras:\n    description: (.*)$", (ROOT / "action.yml").read_text("utf-8"), re.MULTILINE)
    assert [name for name in wanted if f"`{name}`" not in row or name not in line] == []
