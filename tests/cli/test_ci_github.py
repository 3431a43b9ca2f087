"""What GitHub Actions reads: annotations, the summary and the outputs of a step, and never what a backend says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchctl.cli.ci.annotations import MOST
from orchctl.core.backend import Connection
from orchctl.core.context import Context
from orchctl.errors import Unreachable
from tests.cli.harness import WEB, CommandLine
from tests.cli.test_deploy import BAD, CHAIN
from tests.cli.test_hostile import _HostileBackend
from tests.cli.test_plan import RICH


@pytest.fixture
def github(cli: CommandLine, tmp_path: Path) -> CommandLine:
    cli.monkeypatch.setenv("GITHUB_ACTIONS", "true")
    cli.monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    cli.monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    cli.monkeypatch.setenv("GITHUB_WORKSPACE", str(cli.directory))
    return cli


def _commands(text: str) -> list[str]:
    """As the runner finds them."""
    return [line for line in re.split(r"[\r\n]", text) if line.lstrip().startswith("::") or "##[" in line]


def _outputs(directory: Path) -> dict[str, str]:
    found = re.findall(r"(\w+)<<(\S+)\n(.*?)\n\2\n", (directory / "output").read_text(), re.DOTALL)
    return {name: value for name, _, value in found}


def test_every_problem_of_a_spec_is_at_its_line(github: CommandLine) -> None:
    github.write("orch.yaml", "name: web\nimage: a/web:1\nreplicaz: 3\nports: [{name: http, port: 70000}]\n")
    result = github("validate")
    assert result.code == 2
    assert _commands(result.err) == [
        "::error file=orch.yaml,line=3,col=1,title=error[E0220]::there is no field 'replicaz'%0Ahelp: did you mean 'replicas'?",
        "::error file=orch.yaml,line=4,col=28,title=error[E0223]::ports[0].port: 70000 is too large; the most is 65535",
    ]


def test_files_are_named_from_the_root_of_the_checkout(github: CommandLine) -> None:
    (github.directory / "a,b").mkdir()
    github.write("a,b/orch.yaml", "name: web\nimage: a/web:1\nreplicaz: 3\n")
    github.monkeypatch.chdir(github.directory / "a,b")
    [command] = _commands(github("validate").err)
    assert command.startswith("::error file=a%2Cb/orch.yaml,line=3,")


def test_issues_are_at_the_value_that_causes_them(github: CommandLine) -> None:
    github.write("orch.yaml", WEB + "health: {ready: {grpc: {port: http}}}\nuser: app\n")
    result = github("validate")
    assert result.code == 2
    error, warning = _commands(result.err)
    assert re.match(r"::error file=orch\.yaml,line=7,col=\d+,title=web on fake::health\.ready\.grpc: ", error)
    assert warning.startswith("::warning file=orch.yaml,line=8,col=")


def test_strict_makes_errors_of_warnings(github: CommandLine) -> None:
    github.write("orch.yaml", WEB + "user: app\n")
    assert [c[:9] for c in _commands(github("validate").err)] == ["::warning"]
    assert [c[:8] for c in _commands(github("validate", "--strict").err)] == ["::error "]
    assert _commands(github("validate", "-q").err) == []


def test_no_more_than_are_shown_and_the_last_one_counts_the_rest(github: CommandLine) -> None:
    github.write("orch.yaml", "name: web\nimage: a/web:1\n" + "".join(f"field{n}: 1\n" for n in range(25)))
    commands = _commands(github("validate").err)
    assert len(commands) == MOST == 10
    assert commands[-1].endswith("%0A(and 15 more)")


def test_failed_service_is_an_error_with_its_cause(github: CommandLine) -> None:
    github.deploy()
    github.write("orch.yaml", BAD)
    result = github("deploy")
    assert result.code == 8
    [command] = _commands(result.err)
    assert command.startswith("::error title=web%3A rolled back::revision 2 failed; ")
    assert "exited with code 7%0A  | boom: cannot start%0A" in command


def test_services_that_were_not_started_are_warnings(github: CommandLine) -> None:
    github.write("orch.yaml", CHAIN)
    result = github("deploy")
    assert result.code == 11
    kinds = [c.split("::")[1] for c in _commands(result.err)]
    assert kinds == ["error title=api%3A failed", "warning title=web%3A not started"]


def test_outputs_and_summary_of_a_deploy(github: CommandLine, tmp_path: Path) -> None:
    github.write("orch.yaml", WEB)
    assert github("deploy").code == 0
    assert _outputs(tmp_path) == {"state": "converged", "revision": "1", "exit_code": "0"}
    lines = (tmp_path / "summary.md").read_text().splitlines()
    assert lines[0] == "### orchctl deploy"
    assert re.match(r"\| web \| converged \| 1 \| [\d.]+ s \|", lines[4])


def test_summary_of_a_failure_has_its_cause_folded(github: CommandLine, tmp_path: Path) -> None:
    github.write("orch.yaml", BAD)
    assert github("deploy").code == 7
    assert _outputs(tmp_path) == {"state": "failed", "revision": "1", "exit_code": "7"}
    text = (tmp_path / "summary.md").read_text()
    assert "<details><summary>web&#58; failed</summary>\n\n<pre>\n" in text
    assert "  | boom: cannot start\n" in text


def test_error_of_a_single_service_is_in_outputs_and_summary(github: CommandLine, tmp_path: Path) -> None:
    github.write("orch.yaml", WEB + "backends: {fake: {behaviour: never_ready}}\n")
    assert github("deploy", "--timeout", "2s").code == 6
    assert _outputs(tmp_path) == {"state": "in_progress", "revision": "", "exit_code": "6"}
    assert "| web | in progress |" in (tmp_path / "summary.md").read_text()


def test_summaries_of_one_step_stay_below_the_limit(github: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text("x" * 899_500)
    github.write("orch.yaml", BAD)
    for _ in range(5):
        assert github("deploy").code == 7
    assert (tmp_path / "summary.md").stat().st_size <= 900_000


def test_files_that_cannot_be_written_change_no_exit_code(github: CommandLine, tmp_path: Path) -> None:
    github.monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "none/output"))
    github.write("orch.yaml", WEB)
    result = github("deploy")
    assert result.code == 0
    assert "warning: GITHUB_OUTPUT cannot be written: No such file or directory\n" in result.err


@pytest.mark.parametrize(
    "payload",
    [
        "::add-mask::x",
        " \t\u00a0::error::forged",
        "x\r::error::forged",
        "x\n::error::forged",
        "a ##[add-mask]x",
        "%0A::error::x",
    ],
)
@pytest.mark.parametrize("spec", [WEB, WEB + "backends: {fake: {behaviour: crash}}\n"])
def test_backends_cannot_give_commands(github: CommandLine, tmp_path: Path, payload: str, spec: str) -> None:
    backend = _HostileBackend(github.cluster)
    backend.payload = payload
    github.backends["fake"] = lambda: backend
    github.write("orch.yaml", spec)
    commands = ["deploy", "status", "status -o wide", "discover web", "why web", "logs web", "plan", "status -o json"]
    for command in [*commands, "status -o yaml", "deploy -o jsonl", "deploy -o yaml", "delete web -y"]:
        result = github(*command.split())
        assert result.code in (0, 7), result.err
        assert _commands(result.out) == [], command
        assert not [c for c in _commands(result.err) if not c.startswith("::error title=web%3A ")], command
        assert "##[" not in result.err
    for line in (tmp_path / "output").read_text().splitlines():
        assert line.startswith(("state<<", "revision<<", "exit_code<<", "orchctl_")) or line in (
            "converged", "unchanged", "failed", "deleted", "0", "7", "1", "2", "3", "",
        )  # fmt: skip


@pytest.mark.parametrize("payload", ["::add-mask::x", "a b\n::c", "a ##[add-mask]x", "word " * 40 + "::error::x"])
def test_documents_still_say_what_the_backend_said(github: CommandLine, payload: str) -> None:
    backend = _HostileBackend(github.cluster)
    backend.payload = payload
    github.backends["fake"] = lambda: backend
    github.write("orch.yaml", WEB)
    github("deploy", "-q")
    for kind, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        out = github("status", "-o", kind).out
        assert _commands(out) == []
        assert read(out)["items"][0]["image"] == payload


class _Refusing(_HostileBackend):
    def connect(self, context: Context) -> Connection:
        raise Unreachable(self.payload, hint=self.payload)


def test_error_of_the_backend_is_data_of_the_annotation(github: CommandLine) -> None:
    backend = _Refusing(github.cluster)
    backend.payload = "x\r\n::add-mask::y ##[add-mask]z"
    github.backends["fake"] = lambda: backend
    result = github("status")
    assert result.code == 9
    [command] = _commands(result.err)
    text = r"x\r\n::add-mask::y ##\x5badd-mask]z"
    assert command == f"::error title=error[E0900]::{text}%0Ahelp: {text}"


def test_secrets_are_in_nothing_that_is_written(github: CommandLine, tmp_path: Path) -> None:
    github.monkeypatch.setenv("WEB_TOKEN", "canary-4711")
    github.write("orch.yaml", RICH)
    for command in ("validate", "plan --report markdown=plan.md", "deploy --report junit=j.xml --report dotenv=d.env"):
        result = github(*command.split())
        assert result.code == 0, result.err
        assert "canary" not in result.out + result.err
    written = [
        tmp_path / "output",
        tmp_path / "summary.md",
        *(github.directory / n for n in ("plan.md", "j.xml", "d.env")),
    ]
    assert not [path for path in written if "canary" in path.read_text()]


def test_elsewhere_nothing_is_printed_or_written_for_github(github: CommandLine, tmp_path: Path) -> None:
    github.monkeypatch.delenv("GITHUB_ACTIONS")
    github.write("orch.yaml", BAD)
    result = github("deploy")
    assert result.code == 7
    assert _commands(result.err) == []
    assert not (tmp_path / "output").exists()
    assert not (tmp_path / "summary.md").exists()


def test_the_whole_program_gives_no_command_of_a_backend(github: CommandLine) -> None:
    github.write("orch.yaml", WEB)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.fake_program", "deploy"],
        cwd=github.directory,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(root), str(root / "backends")]),
            "FAKE_ENDPOINT": "x\r\n::add-mask::y ##[add-mask]z",
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert _commands((done.stdout + done.stderr).decode()) == []
    assert rb"fake at x\r\n::add-mask::y ##\x5badd-mask]z, namespace" in done.stderr
