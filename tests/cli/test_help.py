from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchctl.cli.explain import EXIT_CODES, codes
from orchctl.cli.output_schemas.words import errors
from orchctl.cli.verbs import VERBS
from orchctl.errors import OrchctlError
from orchctl.spec.codes import Code
from tests.cli.harness import CommandLine

ROOT = Path(__file__).parents[2]
DEFINED = ROOT / "orchctl" / "errors.py"


def test_help_lists_every_verb_in_one_line(cli: CommandLine) -> None:
    result = cli("--help")
    assert result.code == 0
    width = max(map(len, VERBS))
    for name, verb in VERBS.items():
        assert f"  {name:<{width}}  {verb.summary}\n" in result.out
    assert "__" not in result.out
    assert all(len(line) <= 80 for line in result.out.splitlines())


def test_no_arguments_show_help(cli: CommandLine) -> None:
    assert cli().out == cli("--help").out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_page_of_plain_text(cli: CommandLine, verb: str) -> None:
    result = cli(verb, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: orchctl {verb} ")
    assert "--help" in result.out
    assert "<str>" not in result.out
    assert "<list[str]>" not in result.out


def test_help_of_a_verb_is_its_help_page(cli: CommandLine) -> None:
    assert cli("help", "deploy").out == cli("deploy", "--help").out


def test_unknown_verb_is_a_usage_error_with_a_suggestion(cli: CommandLine) -> None:
    result = cli("deplyo")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error[E0100]: there is no verb 'deplyo'\nhelp: did you mean 'deploy'?\n"


@pytest.mark.parametrize(
    ("word", "verb"),
    [("destroy", "delete"), ("rm", "delete"), ("apply", "deploy"), ("ps", "status"), ("undo", "rollback")],
)
def test_what_other_tools_call_it_is_understood(cli: CommandLine, word: str, verb: str) -> None:
    result = cli(word, "web")
    assert (result.code, result.err) == (
        2,
        f"error[E0100]: there is no verb '{word}'\nhelp: orchctl calls that '{verb}'\n",
    )


@pytest.mark.parametrize("word", ["depose", "scaling", "exec"])
def test_a_verb_that_changes_things_is_offered_only_for_a_slip(cli: CommandLine, word: str) -> None:
    assert "did you mean" not in cli(word, "web").err


@pytest.mark.parametrize(("group", "shown"), [("context", "ls"), ("lock", "show")])
def test_a_group_alone_shows_its_list(cli: CommandLine, group: str, shown: str) -> None:
    alone, full = cli(group), cli(group, shown)
    assert (alone.code, alone.out, alone.err) == (full.code, full.out, full.err)
    assert alone.code == 0


def test_unknown_option_is_a_usage_error(cli: CommandLine) -> None:
    result = cli("status", "--watchh")
    assert result.code == 2
    assert result.err.startswith("error[E0100]: no such option: --watchh")
    assert result.err.endswith("help: see: orchctl status --help\n")


def test_option_before_the_verb_says_so(cli: CommandLine) -> None:
    result = cli("-v", "status")
    assert result.code == 2
    assert "the verb comes first" in result.err


def test_missing_argument_is_a_usage_error(cli: CommandLine) -> None:
    result = cli("history")
    assert (result.code, result.err) == (
        2,
        "error[E0100]: missing argument 'SERVICE'\nhelp: see: orchctl history --help\n",
    )


def test_unknown_output_kind_names_the_known_ones(cli: CommandLine) -> None:
    assert cli("history", "web", "-o", "xml").err == (
        "error[E0100]: invalid value for '--output' / '-o': 'xml' is not one of 'table', 'wide', 'json', 'yaml', 'jsonl'\n"
        "help: see: orchctl history --help\n"
    )


def test_every_exit_code_of_an_error_is_explained(cli: CommandLine) -> None:
    def codes(kind: type[OrchctlError]) -> set[int]:
        return {kind.exit_code}.union(*map(codes, kind.__subclasses__()))

    assert codes(OrchctlError) <= set(EXIT_CODES)
    assert "  8  the rollout failed, and the last good revision runs again\n" in cli("help", "exit-codes").out


def test_explain_tells_what_a_code_means(cli: CommandLine) -> None:
    assert cli("explain", "e0220").out == (
        "E0220: The spec has no such field; nothing that you wrote is silently ignored. Exit code 2.\n"
    )
    assert "Exit code 5" in cli("explain", "E0503").out
    assert cli("explain", "E0506").out.startswith("E0506: Another manager of the same object has set fields")
    assert cli("explain", "E0507").out.startswith("E0507: The build is older than one that was deployed already")
    assert cli("explain", "E9999").code == 4


def test_help_reaches_the_commands_of_a_group(cli: CommandLine) -> None:
    assert cli("help", "lock", "break").out == cli("lock", "break", "--help").out
    assert cli("help", "lock").out == cli("lock", "--help").out


def test_help_and_explain_have_the_same_text(cli: CommandLine) -> None:
    for topic in ("exit-codes", "E0220", "E0104"):
        explained = cli("explain", topic)
        assert (explained.code, explained.out) == (0, cli("help", topic).out)


def test_every_code_of_an_error_is_explained_in_a_sentence_of_its_own(cli: CommandLine) -> None:
    def kinds(kind: type[OrchctlError]) -> set[type[OrchctlError]]:
        return {kind}.union(*map(kinds, kind.__subclasses__()))

    ours = {kind for kind in kinds(OrchctlError) if kind.__module__ == OrchctlError.__module__}
    assert all("__doc__" in vars(kind) and kind.__doc__ for kind in ours)
    assert {kind.code for kind in ours} | {code.value for code in Code} == set(codes())
    assert len(set(codes().values())) == len(codes())
    assert all(text.partition(" Exit code ")[0].endswith(".") and "``" not in text for text in codes().values())


def test_no_code_is_left_over_from_what_is_never_told() -> None:
    """Each is used somewhere else than where it is defined."""
    told = [p for top in ("orchctl", "backends") for p in (ROOT / top).rglob("*.py") if p.name != "codes.py"]
    words = {word for path in told if path != DEFINED for word in re.findall(r"\w+", path.read_text("utf-8"))}
    kinds = {kind.__name__ for kind in errors() if "code" in vars(kind)}
    assert len(kinds) > 20
    assert kinds - words == set()
    dotted = {name for path in told for name in re.findall(r"\bCode\.(\w+)", path.read_text("utf-8"))}
    assert {code.name for code in Code} - dotted == set()


def test_an_interruption_has_the_exit_code_of_its_signal(cli: CommandLine) -> None:
    assert cli("explain", "E1200").out.endswith(" Exit code 128+n: ended by signal n.\n")
