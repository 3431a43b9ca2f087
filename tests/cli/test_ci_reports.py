"""--report KIND=FILE: what stands in the files, and what happens when they cannot be written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from orchctl.cli.ci.comment import MOST, comment
from orchctl.cli.ci.files import KINDS, WRITES
from orchctl.core.plan import Change, Issue, Op, Plan, Policy
from orchctl.core.service import Service
from tests.cli.harness import WEB, CommandLine
from tests.cli.test_deploy import BAD, CHAIN
from tests.cli.test_hostile import _HostileBackend
from tests.cli.test_plan import CHANGED
from tests.cli.test_startup import _modules

BROKEN = "name: web\nimage: a/web:1\nreplicaz: 3\nports: [{name: http, port: 70000}]\n"
NEVER = WEB + "backends: {fake: {behaviour: never_ready}}\n"


def _suite(path: Path) -> ElementTree.Element:
    [suite] = ElementTree.fromstring(path.read_text("utf-8"))
    cases = list(suite)
    assert int(suite.attrib["tests"]) == len(cases)
    for word, attribute in (("failure", "failures"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == len([c for c in cases if c.find(word) is not None])
    return suite


def test_junit_has_a_case_for_each_service(cli: CommandLine) -> None:
    cli.write("orch.yaml", CHAIN)
    assert cli("deploy", "--report", "junit=j.xml").code == 11
    suite = _suite(cli.directory / "j.xml")
    assert [(c.attrib["name"], [e.tag for e in c]) for c in suite] == [
        ("db", []),
        ("api", ["failure"]),
        ("web", ["skipped"]),
    ]
    failure = suite[1][0]
    assert failure.attrib["message"]
    assert "  | boom: cannot start" in (failure.text or "")


@pytest.mark.parametrize(
    ("command", "code"),
    [("scale web=3", 0), ("restart web", 0), ("rollback web -y", 0), ("delete web -y", 0), ("validate", 0)],
)
def test_every_verb_with_outcomes_writes_junit(cli: CommandLine, command: str, code: int) -> None:
    cli.deploy()
    cli.deploy(WEB.replace('"one"', '"two"'))
    assert cli(*command.split(), "--report", "junit=j.xml").code == code
    [case] = _suite(cli.directory / "j.xml")
    assert (case.attrib["name"], case.attrib["classname"]) == ("web", f"orchctl.{command.split()[0]}")


def test_junit_of_an_error_names_the_service(cli: CommandLine) -> None:
    cli.write("orch.yaml", NEVER)
    assert cli("deploy", "--timeout", "2s", "--report=junit=j.xml").code == 6
    [case] = _suite(cli.directory / "j.xml")
    assert (case.attrib["name"], case[0].attrib["type"]) == ("web", "E0600")


def test_junit_of_a_broken_spec_names_the_file(cli: CommandLine) -> None:
    cli.write("orch.yaml", BROKEN)
    assert cli("validate", "--report", "junit=j.xml").code == 2
    [case] = _suite(cli.directory / "j.xml")
    assert case.attrib["name"] == "orch.yaml"
    assert "error[E0223] orch.yaml:4:28: ports[0].port" in (case[0].text or "")


def test_junit_of_a_refused_service(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "health: {ready: {grpc: {port: http}}}\n")
    assert cli("validate", "--report", "junit=j.xml").code == 2
    [case] = _suite(cli.directory / "j.xml")
    assert (case[0].attrib["message"], (case[0].text or "")[:26]) == ("refused by fake", "reject health.ready.grpc: ")


@pytest.mark.parametrize("payload", ["\x00\x1b]0;x\x07", "]]>&<'\"", "\ud800\ufffe", "\x85\u2028"])
def test_reports_can_be_read_whatever_the_backend_says(cli: CommandLine, payload: str) -> None:
    backend = _HostileBackend(cli.cluster)
    backend.payload = payload
    cli.backends["fake"] = lambda: backend
    cli.write("orch.yaml", BAD)
    assert cli("deploy", "--report", "junit=j.xml", "--report", "dotenv=d.env").code == 7
    [case] = _suite(cli.directory / "j.xml")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", case[0].text or "")
    assert (cli.directory / "d.env").read_text() == "ORCHCTL_STATE=failed\nORCHCTL_REVISION=1\nORCHCTL_EXIT_CODE=7\n"


_REQUIRED: Mapping[str, Any] = {
    "$schema": str,
    "version": str,
    "runs": [
        {
            "tool": {"driver": {"name": str, "version": str, "rules": [{"id": str, "help": {"text": str}}]}},
            "results": [{"ruleId": str, "ruleIndex": int, "level": str, "message": {"text": str}}],
        }
    ],
}
"""What code scanning wants of SARIF 2.1.0."""


def _conforms(value: Any, shape: Any) -> bool:
    if isinstance(shape, type):
        return isinstance(value, shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(_conforms(v, shape[0]) for v in value)
    return isinstance(value, dict) and all(k in value and _conforms(value[k], s) for k, s in shape.items())


def _sarif(path: Path) -> list[tuple[str, str, str, int]]:
    document = json.loads(path.read_text("utf-8"))
    assert _conforms(document, _REQUIRED)
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    found = []
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        place = result["locations"][0]["physicalLocation"]
        uri, region = place["artifactLocation"]["uri"], place.get("region", {})
        assert not uri.startswith(("/", ".."))
        assert all(n >= 1 for n in region.values())
        found.append((result["ruleId"], result["level"], uri, region.get("startLine", 0)))
    return found


def test_sarif_of_a_broken_spec(cli: CommandLine) -> None:
    (cli.directory / "a b").mkdir()
    cli.write("a b/orch.yaml", BROKEN)
    assert cli("validate", "-f", "a b", "--report", "sarif=s.json").code == 2
    assert _sarif(cli.directory / "s.json") == [
        ("E0220", "error", "a%20b/orch.yaml", 3),
        ("E0223", "error", "a%20b/orch.yaml", 4),
    ]


def test_file_names_that_are_no_utf8(cli: CommandLine) -> None:
    name = os.fsdecode(b"\xff.orch.yaml")
    cli.write(name, BROKEN)
    cli.monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = cli("validate", "-f", name, "--report", "sarif=s.json", "--report", "junit=j.xml")
    assert result.code == 2
    assert _sarif(cli.directory / "s.json")[0][2] == "%FF.orch.yaml"
    assert _suite(cli.directory / "j.xml")[0].attrib["name"] == "\\udcff.orch.yaml"


def test_working_directory_that_is_gone_is_the_error_that_is_told(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    cli.monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    cli.monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = cli("validate", "--report", "sarif=s.json")
    assert result.code == 2
    assert "the working directory does not exist any more" in result.err


def test_sarif_of_what_a_backend_does_not_take_as_written(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "user: app\nhealth: {ready: {grpc: {port: http}}}\n")
    assert cli("validate", "--report", "sarif=s.json").code == 2
    assert _sarif(cli.directory / "s.json") == [("warn", "warning", "orch.yaml", 7), ("E0300", "error", "orch.yaml", 8)]


def test_sarif_without_findings_clears_older_ones(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("validate", "--report", "sarif=s.json").code == 0
    assert _sarif(cli.directory / "s.json") == []


def test_plan_as_a_comment(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", CHANGED + "user: app\n")
    result = cli("plan", "--exit-code", "--report", "markdown=plan.md")
    assert result.code == 3
    text = (cli.directory / "plan.md").read_text()
    assert text.startswith("### web: 3 changes&#59; instances are replaced\n")
    assert "| ~ | <code>env.GREETING</code> | <code>one</code> | <code>two</code> | restarts |\n" in text.replace(
        "&#126;", "~"
    )
    assert "| <code>replicas</code> | <code>2</code> | <code>3</code> |  |\n" in text
    assert "- **warn** <code>user</code>: the fake cluster" in text


def _plan(name: str, *values: str) -> Plan:
    return Plan(
        service=Service(name=name, namespace="default"),
        backend="fake",
        context="test",
        template_hash="",
        spec_hash="",
        expect="1",
        changes=tuple(Change(path="env.X", op=Op.UPDATE, before=v, after=v) for v in values),
        issues=(Issue(path="a|b", policy=Policy.WARN, message="`x`\n| y |"),),
    )


def test_values_cannot_leave_their_cell() -> None:
    hostile = "a | b`c`\n\n# head <script> @everyone [x](http://192.0.2.1) **b**"
    rows = [line for line in comment([_plan("web", hostile)]).splitlines() if "env.X" in line]
    assert len(rows) == 1
    assert rows[0].count("|") == 6
    assert not set("`<>@[]*") & set(re.sub(r"</?code>|&#\d+;", "", rows[0]))


def test_lines_of_a_file_are_in_the_comment_and_cannot_leave_it() -> None:
    change = Change(path="files[/a].content", op=Op.UPDATE, before="x", after="y", lines=("-</pre> <b>", "+``` @you"))
    text = comment([replace(_plan("web"), changes=(change,))])
    assert "<pre>\n-&#60;&#47;pre&#62; &#60;b&#62;\n+".replace("&#47;", "/") in text.replace("&#43;", "+")
    assert not set("`@") & set(text)
    assert text.count("</pre>") == 1


def test_comment_fits_and_says_when_it_is_cut() -> None:
    plans = [_plan(f"web-{n}", *(["|" * 190] * 20)) for n in range(50)]
    text = comment(plans)
    assert MOST - 5000 < len(text) <= MOST
    assert text.endswith("\n(cut: `orchctl plan` shows all of it)\n")


@pytest.mark.parametrize("word", ["junit", "junit=", "html=x", "sarif=s.json", "=x"])
def test_wrong_reports_are_refused_before_anything_is_done(cli: CommandLine, word: str) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--report", word)
    assert (result.code, cli.cluster.requests) == (2, 0)
    assert "help: write: --report junit=FILE or --report dotenv=FILE\n" in result.err


@pytest.mark.parametrize(
    "verb", ["deploy", "scale web=3", "restart web", "rollback web -y", "delete web -y", "plan", "validate"]
)
@pytest.mark.parametrize("file", ["none/j", ".", "/dev/null"])
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_done(
    cli: CommandLine, verb: str, file: str
) -> None:
    cli.write("orch.yaml", WEB)
    kind = KINDS[verb.split()[0]][0]
    result = cli(*verb.split(), "--report", f"{kind}={file}")
    assert (result.code, cli.cluster.requests) == (2, 0)
    assert f"the report cannot be written to {file}: " in result.err


def test_dry_run_has_nothing_to_report(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("deploy", "--dry-run", "--report", "junit=j.xml").code == 2


@pytest.mark.parametrize(("spec", "timeout", "code"), [(WEB, "2m", 0), (BAD, "2m", 7), (NEVER, "2s", 6)])
def test_a_report_that_is_lost_at_the_end_changes_no_exit_code(
    cli: CommandLine, spec: str, timeout: str, code: int
) -> None:
    cli.write("orch.yaml", spec)
    cli.monkeypatch.setattr(Path, "replace", _full)
    result = cli("deploy", "--timeout", timeout, "--report", "junit=j.xml")
    assert result.code == code
    assert "warning: the report cannot be written to j.xml: No space left on device\n" in result.err
    assert os.listdir(cli.directory) == [n for n in os.listdir(cli.directory) if "j.xml" not in n]


def _full(_self: Path, _target: Path) -> Path:
    raise OSError(28, "No space left on device")


def test_a_report_replaces_the_file_and_leaves_nothing_beside_it(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    cli.write("j.xml", "old")
    before = {*os.listdir(cli.directory)}
    assert cli("deploy", "--report", "junit=j.xml").code == 0
    assert {*os.listdir(cli.directory)} == before
    assert _suite(cli.directory / "j.xml") is not None


def test_a_report_goes_where_a_link_points(cli: CommandLine, tmp_path: Path) -> None:
    cli.write("orch.yaml", WEB)
    (cli.directory / "j.xml").symlink_to(tmp_path / "real.xml")
    assert cli("deploy", "--report", "junit=j.xml").code == 0
    assert (cli.directory / "j.xml").is_symlink()
    assert _suite(tmp_path / "real.xml") is not None


def test_every_verb_that_writes_has_junit_and_dotenv() -> None:
    assert {KINDS[verb] for verb in WRITES} == {("junit", "dotenv")}


def test_what_serves_ci_is_imported_only_when_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    unwanted = {"orchctl.cli.ci", "xml.etree", "html"}
    assert not unwanted & _modules(tmp_path, "validate", "--backend", "local")
    wanted = _modules(tmp_path, "validate", "--backend", "local", "--report", f"sarif={tmp_path}/s.json")
    assert {"orchctl.cli.ci.sarif"} <= wanted
