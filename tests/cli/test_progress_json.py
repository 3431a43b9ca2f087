"""``--progress json``: stderr is one document a line, each as its published schema says, and nothing else."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from orchctl.cli.options import Talk
from orchctl.cli.terminal import terminal_of
from orchctl.core.rollout import EventKind
from tests.cli.harness import WEB, CommandLine, Result
from tests.cli.test_exit import _BrokenBackend
from tests.cli.test_lock import _lock
from tests.cli.test_output_schemas import BAD, TWO, check

CHANGED = WEB.replace('"one"', '"two"')
NEVER = WEB + "backends: {fake: {behaviour: never_ready}}\n"


def lines(result: Result) -> list[dict[str, Any]]:
    """The documents on stderr, each one checked."""
    documents = [json.loads(line) for line in result.err.splitlines()]
    for document in documents:
        check(document)
    return documents


def kinds(result: Result) -> list[str]:
    return [d["kind"] for d in lines(result)]


def test_a_deploy_says_where_what_happens_and_how_it_ended(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--progress", "json")
    assert (result.code, result.out) == (0, "")
    first, *between, last = lines(result)
    assert (first["kind"], first["level"]) == ("Message", "info")
    assert first["text"] == "fake at fake://memory, namespace default, context test"
    assert {d["kind"] for d in between} == {"Event"}
    assert (last["kind"], last["state"], last["exit_code"]) == ("Outcome", "converged", 0)


def test_every_kind_of_event_is_told(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", BAD + "user: app\n")
    seen = {d["event"] for d in lines(cli("deploy", "--progress", "json")) if d["kind"] == "Event"}
    cli.write("other.yaml", WEB.replace("name: web", "name: other"))
    _lock(cli)
    result = cli("deploy", "--progress", "json", "--lock-timeout", "1s")
    seen |= {d["event"] for d in lines(result) if d["kind"] == "Event"}
    assert seen == {kind.value for kind in EventKind}


def test_both_streams_can_be_documents(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--progress", "json", "-o", "jsonl")
    on_stdout = [json.loads(line) for line in result.out.splitlines()]
    assert [d for d in lines(result) if d["kind"] == "Event"] == [d for d in on_stdout if d["kind"] == "Event"]


@pytest.mark.parametrize("spec", [WEB, BAD, TWO, CHANGED])
@pytest.mark.parametrize("more", [(), ("--color", "always"), ("-v",), ("-o", "json")])
def test_no_escape_sequence_is_among_the_lines(cli: CommandLine, spec: str, more: tuple[str, ...]) -> None:
    cli.monkeypatch.setenv("FORCE_COLOR", "1")
    cli.deploy()
    cli.write("orch.yaml", spec)
    for command in (["deploy"], ["plan"], ["status", "nowhere"], ["scale", "web=3"], ["rollback", "web", "--yes"]):
        result = cli(*command, "--progress", "json", *more)
        assert "\x1b" not in result.err
        lines(result)


def test_an_error_is_a_document(cli: CommandLine) -> None:
    cli.write("orch.yaml", "nmae: web\nreplicas: x\n")
    result = cli("validate", "--progress=json")
    [document] = lines(result)
    assert (result.code, document["kind"], document["exit_code"]) == (2, "Error", 2)
    assert document["file"] == "orch.yaml"


def test_the_traceback_of_a_bug_is_a_message(cli: CommandLine) -> None:
    cli.backends["fake"] = lambda: _BrokenBackend(cli.cluster)
    result = cli("status", "--progress", "json", "-v")
    error, message = lines(result)
    assert (error["kind"], message["kind"], message["level"]) == ("Error", "Message", "error")
    assert "Traceback (most recent call last)" in message["text"]


def test_a_command_line_that_cannot_be_read_is_told_in_the_same_way(cli: CommandLine) -> None:
    assert kinds(cli("deploy", "--nonsense", "--progress", "json")) == ["Error"]


def test_quiet_leaves_what_failed(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", CHANGED)
    assert cli("deploy", "--progress", "json", "-q").err == ""
    cli.write("orch.yaml", BAD)
    [outcome] = lines(cli("deploy", "--progress", "json", "-q"))
    assert (outcome["kind"], outcome["state"]) == ("Outcome", "rolled_back")


def test_the_plan_of_a_rollback_is_a_document(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(CHANGED)
    found = kinds(cli("rollback", "web", "--yes", "--progress", "json"))
    assert found[:3] == ["Message", "Message", "Plan"]
    assert found[-1] == "Outcome"


def test_nothing_is_asked(cli: CommandLine) -> None:
    cli.deploy()
    for stream in ("stdin", "stderr"):
        cli.monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    result = cli("delete", "web", "--progress", "json")
    assert (result.code, lines(result)[-1]["code"]) == (2, "E0103")


def test_an_interruption_is_a_document(cli: CommandLine) -> None:
    cli.write("orch.yaml", NEVER)

    def strike() -> None:
        if cli.cluster.definitions:
            cli.cluster.on_request = lambda: None
            os.kill(os.getpid(), signal.SIGTERM)

    cli.cluster.on_request = strike
    result = cli("deploy", "--progress", "json")
    assert (result.code, kinds(result)[-1]) == (143, "Error")


def test_annotations_of_a_ci_service_do_not_stand_between_the_lines(cli: CommandLine) -> None:
    cli.monkeypatch.setenv("GITHUB_ACTIONS", "true")
    cli.write("orch.yaml", BAD)
    assert kinds(cli("deploy", "--progress", "json"))[-1] == "Outcome"
    cli.write("orch.yaml", "nmae: web\n")
    assert kinds(cli("deploy", "--progress", "json")) == ["Error"]


def test_a_terminal_gets_lines_without_colour_when_it_asks_for_them() -> None:
    terminal = terminal_of(Talk(color="always", progress="json"), "text")
    assert (terminal.progress, terminal.colour_err) == ("json", False)
