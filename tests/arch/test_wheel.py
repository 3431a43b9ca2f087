"""The one wheel: what is in it, and that it works when it is installed instead of the tree."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orchctl.cli.manual.man import pages
from orchctl.cli.verbs import help_text
from orchctl.core.registry import BUILT_IN
from tests.docs.blocks import ROOT, run

pytestmark = pytest.mark.xdist_group("wheel")  # built once, by one worker


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(out), str(ROOT)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("orchctl-*.whl")
    return built


def test_it_holds_the_program_its_backends_and_the_kit_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.split("/")[0] for n in names if ".dist-info" not in n and ".data/" not in n}
    assert tops == {"orchctl", *(f"orchctl_{name}" for name in BUILT_IN)}
    assert "orchctl/testing/contract/deploy.py" in names
    assert "orchctl/cli/app.py" in names
    assert any(n.endswith("licenses/LICENSE") for n in names)


def test_it_brings_completion_for_every_shell_where_the_shell_looks(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {n for n in names if n.startswith("orchctl/completions/")} == {
        f"orchctl/completions/{file}" for file in ("orchctl.bash", "_orchctl", "orchctl.fish")
    }
    shared = {n.partition(".data/data/")[2] for n in names if ".data/" in n}
    assert {n for n in shared if not n.startswith("share/man/")} == {
        "share/bash-completion/completions/orchctl",
        "share/zsh/site-functions/_orchctl",
        "share/fish/vendor_completions.d/orchctl.fish",
    }


def test_it_brings_the_man_pages_where_man_looks_and_the_text_of_help(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        paths = {n.partition("/share/man/")[2]: n for n in archive.namelist() if "/share/man/" in n}
        found = {path: archive.read(name).decode() for path, name in paths.items()}
        assert archive.read("orchctl/help.txt").decode() == help_text()
    assert found == pages()


@pytest.mark.world_local
def test_it_deploys_when_installed(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = ["-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, *install], check=True, timeout=200)
    python = f"{sys.executable} -m orchctl"
    script = f"""
    {sys.executable} -c 'import orchctl; assert orchctl.__file__.startswith("{site}"), orchctl.__file__'
    {python} init web > /dev/null
    {python} deploy
    {python} discover web
    {python} delete web --yes
    """
    said = run(script, cwd=tmp_path, state=tmp_path / "state", environ={"PYTHONPATH": str(site)})
    assert "converged" in said
    assert not (tmp_path / "state" / "local").exists()
