"""The committed man pages say what the verbs say, and man reads them.

``ORCHCTL_UPDATE=1`` writes the pages anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import orchctl.catalog.target
from orchctl.cli.configuration import ContextEntry
from orchctl.cli.explain import EXIT_CODES
from orchctl.cli.manual.man import pages
from orchctl.cli.manual.places import CATALOGS, COMMON, SETTINGS, VARIABLES
from orchctl.cli.manual.troff import as_it_is, entries, line, paragraph, title
from orchctl.cli.verbs import VERBS
from orchctl.core.registry import BUILT_IN
from orchctl.spec.fields import leaves
from tests.cli.harness import CommandLine

ROOT = Path(__file__).parents[2]
MAN = ROOT / "man"
COMMITTED = sorted(str(path.relative_to(MAN)) for path in MAN.glob("man*/*"))
HOSTILE = "\\fB .PP 'sh' -o ~/^`a`\\"


def test_the_committed_pages_are_fresh() -> None:
    wanted = pages()
    if os.environ.get("ORCHCTL_UPDATE"):
        for name in set(COMMITTED) - set(wanted):
            (MAN / name).unlink()
        for name, text in wanted.items():
            (MAN / name).write_text(text, "ascii")
    found = {str(path.relative_to(MAN)): path.read_text("ascii") for path in MAN.glob("man*/*")}
    assert found == wanted, "stale: run the tests with ORCHCTL_UPDATE=1"


def test_there_is_a_page_for_the_program_for_each_verb_and_for_the_spec() -> None:
    assert set(COMMITTED) == {
        "man1/orchctl.1",
        "man5/orchctl-spec.5",
        *(f"man1/orchctl-{verb}.1" for verb in VERBS),
    }


@cache
def shown(page: str) -> str:
    """The page as a reader sees it; nothing is said about it."""
    if not shutil.which("man") or not shutil.which("groff"):
        pytest.skip("man and groff are not installed")
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFOPT": "", "MANPAGER": "cat"}
    done = subprocess.run(
        ["man", "--warnings=w", "-l", str(MAN / page)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return re.sub(r".\x08", "", done.stdout)


@pytest.mark.parametrize("page", COMMITTED)
def test_man_has_nothing_to_complain_about(page: str) -> None:
    lines = shown(page).splitlines()
    assert lines[0].startswith(Path(page).stem.upper())
    keeps_breaks = ".nf\n" in (MAN / page).read_text("ascii")  # commands to copy may be longer than the screen is wide
    assert keeps_breaks or max(map(len, lines)) <= 80


def test_mandoc_has_nothing_to_complain_about() -> None:
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    command = ["mandoc", "-T", "lint", "-W", "warning", *(str(MAN / page) for page in COMMITTED)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert [text for text in done.stdout.splitlines() if "missing date" not in text] == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_page_has_every_option_of_its_help(cli: CommandLine, verb: str) -> None:
    text = shown(f"man1/orchctl-{verb}.1")
    paths = [(verb, name) for name in VERBS[verb].functions] if VERBS[verb].is_group else [(verb,)]
    for path in paths:
        options = re.findall(r"^  ((?:-\w, )?--[a-z-]+)", cli(*path, "--help").out, re.MULTILINE)
        assert "-h, --help" in options
        for option in options:
            assert re.search(rf"^ +{option}\b", text, re.MULTILINE), option


def test_the_programs_page_has_every_verb_exit_code_setting_and_variable() -> None:
    text = shown("man1/orchctl.1")
    keys = [*COMMON, *CATALOGS, *(key for keys in SETTINGS.values() for key in keys)]
    for term in (*(f"orchctl-{verb}(1)" for verb in VERBS), *map(str, EXIT_CODES), *keys, *VARIABLES):
        assert re.search(rf"^ +{re.escape(term)}( |$)", text, re.MULTILINE), term


def test_the_specs_page_has_every_field() -> None:
    text = shown("man5/orchctl-spec.5")
    for path, _ in leaves():
        assert re.search(rf"^ +{re.escape(path)}( |$)", text, re.MULTILINE), path


def test_every_setting_is_told() -> None:
    modules = {name: import_module(target.partition(":")[0]) for name, target in BUILT_IN.items()}
    modules |= {
        name: import_module(f"orchctl_{name}.target") for name in BUILT_IN if not hasattr(modules[name], "SETTINGS")
    }
    assert {name: set(keys) for name, keys in SETTINGS.items()} == {n: set(m.SETTINGS) for n, m in modules.items()}
    assert set(CATALOGS) == set(orchctl.catalog.target.SETTINGS)
    assert set(COMMON) == {field.name for field in fields(ContextEntry)} - {"name", "settings", "file"}


def test_every_variable_of_our_own_that_is_read_is_told() -> None:
    read = re.compile(r"environ(?:\.get\(|\[)\"(ORCHCTL_\w+)\"")
    sources = [path.read_text("utf-8") for path in (ROOT / "orchctl").rglob("*.py")]
    found = {name for text in sources for name in read.findall(text)}
    assert found == {name for name in VARIABLES if name.startswith("ORCHCTL_")}


def test_text_is_shown_as_it_is_whatever_it_holds(tmp_path: Path) -> None:
    page = tmp_path / "odd.7"
    page.write_text(
        title("odd", 7, "odd pages")
        + ".SH ODD\n"
        + paragraph(".PP is no request")
        + paragraph("'sh is no request")
        + entries([(HOSTILE, HOSTILE)])
        + as_it_is([".TP", HOSTILE])
    )
    lines = [text.strip() for text in shown(str(page)).splitlines()]
    plain = HOSTILE.replace("`a`", "a")
    assert [text for text in lines if text and "ODD" not in text and "orchctl" not in text] == [
        ".PP is no request",
        "'sh is no request",
        HOSTILE,
        plain,
        ".TP",
        plain,
    ]


def test_code_is_bold() -> None:
    assert line("see `orchctl plan` first") == r"see \fBorchctl plan\fR first"
