"""``--query``: JMESPath over the documents, as text or in the form that ``-o`` names."""

from __future__ import annotations

import json
import typing

import pytest
import yaml

from orchctl.cli.app import command_of
from orchctl.cli.verbs import VERBS
from tests.cli.harness import WEB, CommandLine
from tests.cli.test_output_schemas import FORMS, SCENARIOS, TWO, Prepare

NEVER_EMPTY = "[apiVersion, kind]"


def _asked(words: str) -> tuple[list[str], list[tuple[Prepare, str]]]:
    return words.split(), SCENARIOS[words]


@pytest.mark.parametrize(("words", "form"), FORMS)
def test_every_verb_with_documents_answers(cli: CommandLine, words: str, form: str) -> None:
    command, scenarios = _asked(words)
    prepare, more = scenarios[0]
    prepare(cli)
    result = cli(*command, *more.split(), "-o", form, "--query", NEVER_EMPTY)
    answers = result.out.splitlines() if form == "jsonl" else [result.out]
    read = yaml.safe_load if form == "yaml" else json.loads
    assert answers
    for answer in answers:
        version, kind = read(answer)
        assert (version, bool(kind)) == ("orchctl.dev/v1", True)


@pytest.mark.parametrize("words", sorted({words for words, _ in FORMS}))
def test_without_a_form_the_answer_is_text(cli: CommandLine, words: str) -> None:
    command, scenarios = _asked(words)
    prepare, more = scenarios[0]
    prepare(cli)
    if words == "render":
        command += ["-o", "json"]
        assert json.loads(cli(*command, "--query", "kind").out) == "NativeObjectList"
        return
    result = cli(*command, *more.split(), "--query", "apiVersion")
    assert {*result.out.splitlines()} == {"orchctl.dev/v1"}


def test_a_verb_has_the_option_when_it_has_documents() -> None:
    for name, verb in VERBS.items():
        found = command_of(verb)
        for command in found.commands.values() if verb.is_group else [found]:
            options = {name: p for p in command.params for name in p.opts}
            output = options.get("--output")
            forms = typing.get_args(output.type_descriptor.annotation) if output else ()
            assert ("--query" in options) == bool({"json", "jsonl"} & {*forms}), f"{name} {command.name}"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("items[0].name", "a\n"),
        ("items[].name", "a\nb\n"),
        ("items[].[name, phase, replicas.ready]", "a\thealthy\t1\nb\thealthy\t1\n"),
        ("items[?name=='b'].replicas", '{"wanted": 1, "ready": 1, "updated": 1}\n'),
        ("length(items)", "2\n"),
        ("items[0].instances[0].ready", "true\n"),
        ("items[0].nothing", ""),
        ("items[].[name, nothing]", "a\t\nb\t\n"),
        ("`[]`", ""),
        ("join(', ', items[].name)", "a, b\n"),
        ("'a\\tb\x1b'", "a\\\\tb\\x1b\n"),
    ],
)
def test_text_is_what_a_shell_can_use(cli: CommandLine, expression: str, text: str) -> None:
    cli.deploy(TWO)
    assert cli("status", "--query", expression).out == text.replace("\\\\t", "\\t")


def test_form_is_kept_when_it_is_named(cli: CommandLine) -> None:
    cli.deploy(TWO)
    query = ["--query", "items[].{who: name, ready: replicas.ready}"]
    expected = [{"who": "a", "ready": 1}, {"who": "b", "ready": 1}]
    assert json.loads(cli("status", "-o", "json", *query).out) == expected
    assert yaml.safe_load(cli("status", "-o", "yaml", *query).out) == expected
    lines = cli("status", "-o", "jsonl", "--query", "name").out.splitlines()
    assert list(map(json.loads, lines)) == ["a", "b"]


def test_in_a_stream_what_does_not_fit_is_null(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "-o", "jsonl", "--query", "length(failures)")
    *events, outcome = map(json.loads, result.out.splitlines())
    assert (result.code, {*events}, outcome) == (0, {None}, 0)


def test_what_does_not_fit_a_change_does_not_change_how_it_ended(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--query", "length(revision)")
    assert (result.code, result.out) == (0, "")
    assert (
        "--query: the expression does not fit the document: length() takes string or array or object, and is given"
        in (result.err)
    )


def test_what_does_not_fit_what_was_read_is_an_error(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("status", "--query", "length(missing)")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(
        "error[E0104]: the expression does not fit the document: length() takes string or array or object, "
        "and is given null\nhelp: the language is JMESPath"
    )


@pytest.mark.parametrize(
    ("expression", "sentence", "column"),
    [
        ("items[?name", "the expression ends too early", 12),
        ("items name", "the expression cannot be read: name is not expected here", 7),
        ("items.#", "the expression cannot be read: unknown token #", 7),
        ("items[].lenght(@)", "there is no function lenght()", 9),
        ("items[].zzzzzz(@)", "there is no function zzzzzz()", 9),
        ("length()", "length() takes 1 argument, and is given 0", 1),
        ("items[].not_null()", "not_null() takes at least 1 argument, and is given 0", 9),
        ("(" * 2000, "the expression cannot be read", 1),
    ],
)
def test_bad_expression_is_a_page_with_a_caret_before_anything_is_sent(
    cli: CommandLine, expression: str, sentence: str, column: int
) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--query", expression)
    first, *rest = result.err.splitlines()
    assert (result.code, first) == (2, f"error[E0104]: {sentence}")
    shown, caret = rest[0], rest[1]
    if len(expression) < 100:
        assert shown == f"  1 | {expression}"
        assert caret == f"    | {' ' * (column - 1)}^"
    assert cli.cluster.writes == 0


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("&name", "what it finds is an expression (&) and no value"),
        ("ceil(`1e999`)", "cannot convert float infinity to integer"),
        ("items" + "|@" * 3000, "nested too deeply"),
    ],
)
def test_what_the_library_does_not_foresee_is_a_page_too(cli: CommandLine, expression: str, sentence: str) -> None:
    cli.deploy()
    result = cli("status", "--query", expression)
    assert result.code == 2, result.err
    assert result.err.startswith("error[E0104]")
    assert sentence in result.err or "cannot be read" in result.err


def test_a_close_function_is_suggested(cli: CommandLine) -> None:
    assert "help: did you mean length()?" in cli("status", "--query", "lenght(@)").err


def test_a_slice_without_a_step_does_not_fit(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("status", "--query", "items[::0]")
    assert (result.code, "slice step cannot be zero" in result.err) == (2, True)


@pytest.mark.parametrize("form", ["name", "wide", "hosts", "traefik"])
def test_other_forms_have_no_document(cli: CommandLine, form: str) -> None:
    result = cli("discover", "web", "-o", form, "--query", "kind")
    assert (result.code, result.out) == (2, "")
    assert f"--query does not go with -o {form}" in result.err
    assert "it goes with: json, yaml, jsonl, or no -o" in result.err


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "jmespath=items[].name"],
        ["-ojmespath=items[].name"],
        ["--output=jmespath=items[].name"],
        ["--output", "jmespath=items[].name"],
    ],
)
def test_it_is_also_a_form_of_output(cli: CommandLine, words: list[str]) -> None:
    """As kubectl writes ``-o jsonpath=``."""
    cli.deploy()
    assert cli("status", *words).out == "web\n"


@pytest.mark.parametrize(
    "words", [["-o"], ["--output"], ["-o", "--"], ["-o", "json", "--", "jmespath=kind"], ["--", "-o", "jmespath=kind"]]
)
def test_what_only_looks_like_that_form_is_none(cli: CommandLine, words: list[str]) -> None:
    result = cli("status", *words)
    assert result.code in (2, 4)
    assert "query" not in result.err


@pytest.mark.parametrize("words", [["-o", "jmespath="], ["--query", ""], ["--query", " "]])
def test_an_empty_expression_is_refused(cli: CommandLine, words: list[str]) -> None:
    """As a variable that is not set leaves it; everything would be printed."""
    result = cli("status", *words)
    assert (result.code, result.out) == (2, "")
    assert "the expression is empty" in result.err


def test_an_error_stays_a_document_of_its_own(cli: CommandLine) -> None:
    result = cli("history", "nothing", "-o", "json", "--query", "items[].number")
    assert (result.code, json.loads(result.out)["kind"]) == (4, "Error")
    assert cli("history", "nothing", "--query", "items[].number").out == ""


def test_logs_are_asked_line_by_line(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "backends: {fake: {behaviour: crash}}\n")
    cli("deploy", "-q")
    assert {*cli("logs", "web", "--query", "text").out.splitlines()} == {"boom: cannot start"}
