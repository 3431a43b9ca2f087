"""The committed pictures show what the program prints now. ``ORCHCTL_UPDATE=1`` draws them anew."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.harness import CommandLine
from tests.cli.pictures import pictures

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
NAMES = ("deploy.svg", "error.svg", "plan.svg", "status.svg", "why.svg")


def test_the_committed_pictures_are_fresh(cli: CommandLine) -> None:
    found = pictures(cli)
    if os.environ.get("ORCHCTL_UPDATE"):
        PICTURES.mkdir(exist_ok=True)
        for name, svg in found.items():
            (PICTURES / name).write_text(svg, "utf-8")
    for name, svg in found.items():
        assert (PICTURES / name).read_text("utf-8") == svg, f"{name} is stale: run the tests with ORCHCTL_UPDATE=1"
    assert sorted(found) == sorted(path.name for path in PICTURES.iterdir()) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_whole_and_asks_nobody(name: str) -> None:
    text = (PICTURES / name).read_text("utf-8")
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert set(re.findall(r"[a-z]+://[^\s\"'<),&]+", text)) <= {"http://www.w3.org/2000/svg", "fake://memory"}
    assert "@font-face" not in text
    assert "/tmp" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("plan.svg", "~ image: registry.example.com/web:1.4 -> registry.example.com/web:1.5"),
        ("plan.svg", "(restarts)"),
        ("deploy.svg", "3/5 ready"),
        ("deploy.svg", "web: converged, revision 2, 5/5 ready"),
        ("error.svg", "did you mean 'replicas'?"),
        ("error.svg", "orch.yaml:3:1"),
        ("why.svg", "| boom: cannot start"),
        ("why.svg", "remedy:"),
        ("status.svg", "healthy"),
        ("status.svg", "failed"),
    ],
)
def test_a_picture_shows_what_it_is_for(name: str, said: str) -> None:
    assert said in words_of((PICTURES / name).read_text("utf-8"))


def test_every_picture_is_on_a_page() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {
        name for page in pages for name in re.findall(r"!\[[^]]+\]\([^)]*pictures/([\w.]+)\)", page.read_text("utf-8"))
    }
    assert shown == set(NAMES)


def words_of(svg: str) -> str:
    """The text of a picture, line by line: pieces of one colour follow each other."""
    pieces = re.findall(r"<text[^>]* clip-path=\"url\(#[a-z-]*-line-(\d+)\)\"[^>]*>([^<]*)</text>", svg)
    lines: dict[int, str] = {}
    for number, text in pieces:
        lines[int(number)] = lines.get(int(number), "") + html.unescape(text).replace("\xa0", " ")
    return "\n".join(lines[number] for number in sorted(lines))
