"""The committed scripts say what the verbs say, and ``orchctl completion`` prints them.

``ORCHCTL_UPDATE=1`` writes the scripts anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from orchctl.cli import completion
from orchctl.cli.completion.scripts import scripts
from orchctl.cli.completion.words import Command, Value, verbs
from orchctl.cli.verbs import VERBS
from tests.cli.harness import CommandLine

COMPLETIONS = Path(__file__).parents[2] / "completions"


@pytest.mark.parametrize("file", completion.FILES.values())
def test_the_committed_script_is_fresh(file: str) -> None:
    path, text = COMPLETIONS / file, scripts()[file]
    if os.environ.get("ORCHCTL_UPDATE"):
        path.write_text(text)
    assert path.read_text() == text, "stale: run the tests with ORCHCTL_UPDATE=1"


def test_nothing_else_is_published() -> None:
    assert sorted(path.name for path in COMPLETIONS.iterdir()) == sorted(completion.FILES.values())


@pytest.mark.parametrize("file", completion.FILES.values())
def test_every_verb_and_every_long_option_of_the_help_pages_is_there(cli: CommandLine, file: str) -> None:
    text = (COMPLETIONS / file).read_text()
    for name in VERBS:
        assert re.search(rf"\b{name}\b", text)
        for option in re.findall(r"^  (?:-\w, )?--([a-z-]+)", cli(name, "--help").out, re.MULTILINE):
            assert f"--{option}" in text or f"-l {option} " in text, f"{name} --{option}"


def test_what_the_scripts_list_needs_no_quotes() -> None:
    """bash splits the lists at blanks and commas, without quoting: no other character may mean anything to it."""
    values = [f.value for c in _commands() for f in c.flags if f.value] + [c.argument for c in _commands()]
    words = {w for v in values for w in v.words} | {n for c in _commands() for f in c.flags for n in f.names}
    assert len(words) > 50
    assert [w for w in words if not re.fullmatch(r"[A-Za-z0-9-]+", w)] == []


def test_an_option_takes_a_value_in_every_verb_of_one_argument_or_in_none() -> None:
    """The fish script keeps one list for them, to count arguments."""
    single = [c for c in _commands() if c.argument.kind and not c.many]
    valued = {n for c in single for f in c.flags if f.value for n in f.names}
    switches = {n for c in single for f in c.flags if not f.value for n in f.names}
    assert len(single) > 5
    assert valued & switches == set()


def test_what_only_the_program_knows_is_asked_for() -> None:
    kinds = {c.path: c.argument.kind for c in _commands()}
    assert kinds[("deploy",)] == kinds[("history",)] == kinds[("lock", "break")] == "services"
    assert kinds[("scale",)] == "targets"
    assert kinds[("context", "use")] == "contexts"
    rollback = {f.names[0]: f.value for c in _commands() if c.path == ("rollback",) for f in c.flags}
    assert (rollback["--to"], rollback["--namespace"]) == (Value("revisions"), Value("namespaces"))
    assert rollback["--reason"] == Value()
    assert rollback["--no-wait"] is None


@pytest.mark.parametrize(("shell", "file"), completion.FILES.items())
def test_the_verb_prints_the_script(cli: CommandLine, shell: str, file: str) -> None:
    result = cli("completion", shell)
    assert (result.code, result.out, result.err) == (0, (COMPLETIONS / file).read_text(), "")


def test_the_help_page_says_how_to_install_it_in_one_line_each(cli: CommandLine) -> None:
    lines = cli("completion", "--help").out.splitlines()
    for shell in completion.FILES:
        assert [line for line in lines if line.strip().startswith(f"{shell}: ") and f"completion {shell} > ~/." in line]


def test_without_a_shell_it_says_what_is_missing(cli: CommandLine) -> None:
    assert (cli("completion").code, cli("completion").err) == (
        2,
        "error[E0100]: missing argument 'SHELL'. Choose from: bash, zsh, fish\nhelp: see: orchctl completion --help\n",
    )


def test_an_unknown_shell_is_a_usage_error(cli: CommandLine) -> None:
    result = cli("completion", "tcsh")
    assert (result.code, result.out) == (2, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in result.err


def test_an_installation_without_scripts_says_so(cli: CommandLine, tmp_path: Path) -> None:
    cli.monkeypatch.setattr(completion, "_PACKAGED", tmp_path)
    cli.monkeypatch.setattr(completion, "_IN_THE_TREE", tmp_path)
    result = cli("completion", "bash")
    assert (result.code, result.out) == (2, "")
    assert "no completion scripts" in result.err


def test_what_the_scripts_ask_is_no_verb(cli: CommandLine) -> None:
    assert "__complete" not in cli("--help").out
    assert "__complete" not in VERBS


def _commands() -> list[Command]:
    return [v for v in verbs() if isinstance(v, Command)]
