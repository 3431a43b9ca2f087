from __future__ import annotations

import json

from tests.cli.harness import WEB, CommandLine

CRASHED = WEB + "backends: {fake: {behaviour: crash}}\n"


def test_lines_carry_their_instance(cli: CommandLine) -> None:
    cli.write("orch.yaml", CRASHED)
    assert cli("deploy", "-q").code == 7
    lines = cli("logs", "web").out.splitlines()
    assert lines
    assert all(line.endswith(" | boom: cannot start") for line in lines)


def test_jsonl_is_one_object_a_line(cli: CommandLine) -> None:
    cli.write("orch.yaml", CRASHED)
    cli("deploy", "-q")
    line = json.loads(cli("logs", "web", "-o", "jsonl").out.splitlines()[0])
    assert (line["kind"], line["service"], line["stream"], line["text"]) == (
        "LogLine",
        "web",
        "stderr",
        "boom: cannot start",
    )


def test_unknown_service_exits_4(cli: CommandLine) -> None:
    assert cli("logs", "web").code == 4


def test_nonsense_since_is_a_usage_error(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("logs", "web", "--since", "yesterday")
    assert result.code == 2
    assert result.err.startswith("error[E0100]: --since: 'yesterday' is not a duration")


def test_negative_tail_is_a_usage_error(cli: CommandLine) -> None:
    assert cli("logs", "web", "--tail", "-3").code == 2
