"""Sections in the log of a GitLab job."""

from __future__ import annotations

import re

import pytest

from tests.cli.harness import WEB, CommandLine

_MARK = re.compile(r"section_(start|end):(\d+):([\w.-]+)(\[collapsed=true\])?\r\x1b\[0K(.*)")
TWO = "services:\n  a: {image: x/a:1, rollout: {min_ready: 0s}}\n  b: {image: x/b:1, rollout: {min_ready: 0s}}\n"


@pytest.fixture
def gitlab(cli: CommandLine) -> CommandLine:
    cli.monkeypatch.setenv("GITLAB_CI", "true")
    return cli


def _sections(text: str) -> dict[str, list[str]]:
    """The lines of each; fails when they overlap or stay open."""
    found: dict[str, list[str]] = {"": []}
    current = ""
    for line in text.split("\n"):
        if mark := _MARK.fullmatch(line):
            kind, _, name, _, _ = mark.groups()
            assert current == ("" if kind == "start" else name)
            current = name if kind == "start" else ""
            found.setdefault(name, [])
        else:
            found[current].append(line)
    assert not current
    return found


def test_a_service_is_a_section_and_its_outcome_stands_below(gitlab: CommandLine) -> None:
    gitlab.write("orch.yaml", WEB)
    result = gitlab("deploy")
    assert result.code == 0
    found = _sections(result.err)
    assert found["web"][0] == "web: revision 1"
    assert found["web"][-1] == "web: revision 1 is deployed"
    assert found[""] == [
        "fake at fake://memory, namespace default, context test",
        "web: converged, revision 1, 2/2 ready (T)",
        "",
    ]


def test_services_side_by_side_do_not_overlap(gitlab: CommandLine) -> None:
    gitlab.write("orch.yaml", TWO)
    result = gitlab("deploy")
    assert result.code == 0
    found = _sections(result.err)
    for name in ("a", "b"):
        assert {line.partition(":")[0] for line in found[name]} == {name}


def test_section_ends_also_when_the_command_fails(gitlab: CommandLine) -> None:
    gitlab.write("orch.yaml", WEB + "backends: {fake: {behaviour: never_ready}}\n")
    result = gitlab("deploy", "--timeout", "2s")
    assert result.code == 6
    assert _sections(result.err)["web"]


def test_quiet_and_documents_have_no_sections(gitlab: CommandLine) -> None:
    gitlab.write("orch.yaml", WEB)
    assert gitlab("deploy", "-q").err == ""
    assert "section_" not in gitlab("deploy", "-o", "jsonl").out


def test_elsewhere_there_are_no_sections(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert "section_" not in cli("deploy").err


def test_dotenv_report(gitlab: CommandLine) -> None:
    gitlab.write("orch.yaml", WEB)
    assert gitlab("deploy", "--report", "dotenv=deploy.env").code == 0
    text = (gitlab.directory / "deploy.env").read_text()
    assert text == "ORCHCTL_STATE=converged\nORCHCTL_REVISION=1\nORCHCTL_EXIT_CODE=0\n"
