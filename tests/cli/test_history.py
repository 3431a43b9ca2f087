from __future__ import annotations

import json

from tests.cli.harness import WEB, CommandLine


def test_revisions_newest_first(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(WEB.replace('"one"', '"two"'))
    lines = cli("history", "web").out.splitlines()
    assert lines[0].split() == ["REVISION", "STATUS", "CREATED", "BY", "IMAGE", "REPLICAS", "REASON"]
    assert [line.split()[:2] for line in lines[1:]] == [["2", "deployed"], ["1", "superseded"]]


def test_failure_and_rollback_are_told(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", WEB.replace('"one"', '"two"') + "backends: {fake: {behaviour: crash}}\n")
    assert cli("deploy", "-q").code == 8
    lines = cli("history", "web").out.splitlines()
    assert lines[1].startswith("3         deployed")
    assert lines[1].endswith("rollback to 1; automatic rollback")
    assert lines[2].startswith("2         rolled back")
    assert lines[2].endswith("crashed: exited with code 7: boom: cannot start")


def test_count_set_by_hand_is_shown(cli: CommandLine) -> None:
    cli.deploy()
    cli("scale", "web=4", "-q")
    assert "2 (now 4)" in cli("history", "web").out


def test_document_has_the_promised_fields(cli: CommandLine) -> None:
    cli.deploy()
    document = json.loads(cli("history", "web", "-o", "json").out)
    assert document["kind"] == "RevisionList"
    [item] = document["items"]
    promised = [
        "number",
        "status",
        "created_at",
        "created_by",
        "image",
        "replicas",
        "rollback_of",
        "reason",
        "spec_hash",
    ]
    assert set(promised) <= set(item)
    assert (item["number"], item["status"], item["replicas"], item["rollback_of"]) == (1, "deployed", 2, 0)


def test_unknown_service_exits_4(cli: CommandLine) -> None:
    result = cli("history", "web")
    assert (result.code, result.err) == (
        4,
        "error[E0400]: no revisions of 'web' in namespace 'default'\nhelp: see what there is: orchctl status\n",
    )


def test_build_numbers_have_a_column_when_there_are_any(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", WEB.replace('"one"', '"two"'))
    cli("deploy", "-q", "--source-seq", "1732500000")
    lines = cli("history", "web").out.splitlines()
    assert lines[0].split()[:5] == ["REVISION", "STATUS", "CREATED", "BY", "SOURCE"]
    assert [line.split()[4] for line in lines[1:]] == ["1732500000", "-"]
    items = json.loads(cli("history", "web", "-o", "json").out)["items"]
    assert [item["source_seq"] for item in items] == [1732500000, None]


def test_wide_tells_which_revisions_have_the_same_spec(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(WEB.replace('"one"', '"two"'))
    cli("rollback", "web", "--yes", "-q")
    lines = [line.split() for line in cli("history", "web", "-o", "wide").out.splitlines()]
    assert lines[0][-2:] == ["SPEC", "TEMPLATE"]
    assert "SOURCE" in lines[0]
    third, second, first = (line[-2:] for line in lines[1:])
    assert third == first != second
    assert all(len(digits) == 12 for digits in (*first, *second))
