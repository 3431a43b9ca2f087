from __future__ import annotations

import json

from tests.cli.harness import WEB, CommandLine

BAD = WEB.replace('"one"', '"two"') + "backends: {fake: {behaviour: crash}}\n"


def test_healthy_service(cli: CommandLine) -> None:
    cli.deploy()
    assert cli("why", "web").out == "web: healthy, 2/2 ready, revision 1\n  no failure is known\n"


def test_kept_evidence_of_a_revision_that_was_rolled_back(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", BAD)
    assert cli("deploy", "-q").code == 8
    result = cli("why", "web")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        "web: healthy, 2/2 ready, revision 3\n"
        "\n"
        "revision 2 failed: crashed: exited with code 7: boom: cannot start\n"
        "\n"
        "crashed, i5 on fake: exited with code 7\n"
        "  | boom: cannot start\n"
        "  remedy: read the output above; the process ends by itself. Check command, args, env and files of the spec\n"
    )


def test_service_that_never_ran_shows_its_last_words(cli: CommandLine) -> None:
    cli.write("orch.yaml", BAD)
    assert cli("deploy", "-q").code == 7
    lines = cli("why", "web").out.splitlines()
    assert "0/2 ready, revision 1" in lines[0]
    assert "  | boom: cannot start" in lines


def test_evidence_of_another_machine_is_missing_and_says_so(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", BAD)
    cli("deploy", "-q")
    cli.monkeypatch.setenv("ORCHCTL_STATE_DIR", str(cli.directory / "other-machine"))
    assert "its evidence was kept on the machine that deployed it" in cli("why", "web").out


def test_document_has_cause_and_remedy(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", BAD)
    cli("deploy", "-q")
    document = json.loads(cli("why", "web", "-o", "json").out)
    assert (document["kind"], document["of_revision"]) == ("Diagnosis", 2)
    assert document["failures"][0]["kind"] == "crashed"
    assert document["failures"][0]["remedy"]


def test_unknown_service_exits_4(cli: CommandLine) -> None:
    assert cli("why", "web").code == 4
