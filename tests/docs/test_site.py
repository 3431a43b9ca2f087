"""``make docs``: the site is built without a complaint, is whole, and its pages ask nobody for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="mkdocs-material is not installed: pip install '.[docs]'")
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return out


def test_every_page_is_on_the_site_and_in_its_menu(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    menu = (site / "index.html").read_text("utf-8")
    assert [str(page) for page in pages if not (site / page).is_file()] == []
    assert [str(page) for page in pages if f'href="{page}"' not in menu] == []


def test_the_fields_of_the_spec_are_on_the_site(site: Path) -> None:
    assert "<code>rollout.max_surge</code>" in (site / "reference" / "fields.html").read_text("utf-8")


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"?(https?:[^\s\">]+)")
    found = {page.name: loads.findall(page.read_text("utf-8")) for page in site.rglob("*.html")}
    assert len(found) > 15
    assert {name: urls for name, urls in found.items() if urls} == {}


def test_pages_of_the_repository_link_to_what_exists() -> None:
    """mkdocs looks at links under docs only."""
    for page in ("README.md", "specs/README.md"):
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text("utf-8"))
        assert links
        assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == [], page
