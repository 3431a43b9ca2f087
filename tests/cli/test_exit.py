"""Failures that no verb expects, and streams that go away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchctl.cli.command import command_line
from orchctl.cli.exit import _adapter_of, asked_output
from orchctl.cli.output_schemas.words import errors
from orchctl.cli.views.errors import error_page
from orchctl.core.backend import Connection
from orchctl.core.context import Context
from orchctl.errors import SpecError
from orchctl.testing.fake import FakeBackend
from tests.cli.harness import WEB, CommandLine


class _BrokenBackend(FakeBackend):
    def connect(self, context: Context) -> Connection:
        raise RuntimeError("secret\x1b[31m state")


def test_unexpected_exception_is_one_sentence_without_a_traceback(cli: CommandLine) -> None:
    cli.backends["fake"] = lambda: _BrokenBackend(cli.cluster)
    result = cli("status")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error[E0001]: orchctl failed unexpectedly: RuntimeError: secret\\x1b[31m state\n"
        "help: this is a bug in orchctl; please report it with the output of -v\n"
    )


def test_verbose_shows_the_traceback_without_locals(cli: CommandLine) -> None:
    cli.backends["fake"] = lambda: _BrokenBackend(cli.cluster)
    result = cli("status", "-v")
    assert "Traceback (most recent call last):" in result.err
    assert "in connect" in result.err
    assert "\x1b" not in result.err


def test_exception_of_an_adapter_names_the_adapter() -> None:
    module = type(sys)("orchctl_odd.client")
    exec("def call():\n    raise KeyError('x')", module.__dict__)
    with pytest.raises(KeyError) as caught:
        module.call()
    assert _adapter_of(caught.value.__traceback__) == "odd"


def test_error_document_of_a_bug(cli: CommandLine) -> None:
    cli.backends["fake"] = lambda: _BrokenBackend(cli.cluster)
    document = json.loads(cli("status", "-o", "json").out)
    assert (document["kind"], document["exit_code"]) == ("Error", 1)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["deploy", "-o", "json"], "json"),
        (["deploy", "-oyaml"], "yaml"),
        (["deploy", "--output=jsonl"], "jsonl"),
        (["deploy", "-o", "text"], ""),
        (["deploy"], ""),
        (["deploy", "-o"], ""),
    ],
)
def test_documents_are_asked_for_by_the_output_flag(words: list[str], kind: str) -> None:
    assert asked_output(words) == kind


def test_command_line_for_others_hides_what_set_carries() -> None:
    words = ["deploy", "--set", "web:env.KEY=hunter2", "--set=env.B=hunter3", "-f", "a b.yaml"]
    shown = command_line(words)
    assert "hunter" not in shown
    assert shown == "orchctl deploy --set 'web:env.KEY=***' '--set=env.B=***' -f 'a b.yaml'"


def test_caret_stands_below_the_column_also_after_wide_and_hidden_characters() -> None:
    for before in ("x: ", "漢字: ", "\t- ", "a\x07b: "):
        line = f"{before}HERE"
        error = SpecError("no", file="f", line=7, column=len(before) + 1, source_line=line)
        shown, caret = error_page(error, colour=False).splitlines()[2:4]
        wide = 2 if "漢" in before else 0
        assert shown.index("HERE") + wide == caret.index("^")


def test_long_line_is_shown_around_the_column() -> None:
    line = "x" * 5000 + "HERE" + "y" * 5000
    page = error_page(SpecError("no", file="f", line=1, column=5001, source_line=line), colour=False)
    shown, caret = page.splitlines()[2:4]
    assert len(shown) < 130
    assert shown.index("HERE") == caret.index("^")


def test_every_error_has_a_code_of_its_own() -> None:
    found = [kind.code for kind in errors()]
    assert len(found) == len(set(found))


def _spawn(directory: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ORCHCTL_STATE_DIR": str(directory), "XDG_CONFIG_HOME": str(directory)}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script.replace("orchctl", f"{sys.executable} -m orchctl")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_closed_pager_ends_quietly(tmp_path: Path) -> None:
    done = _spawn(tmp_path, "orchctl backends -o json | true")
    assert (done.returncode, done.stderr) == (141, "")


def test_full_disk_is_not_success(tmp_path: Path) -> None:
    done = _spawn(tmp_path, "orchctl backends -o json >/dev/full")
    assert (done.returncode, done.stderr) == (1, "error[E0001]: writing the output: No space left on device\n")


def test_ascii_terminal_shows_other_characters_escaped(tmp_path: Path) -> None:
    done = _spawn(tmp_path, "PYTHONIOENCODING=ascii orchctl explain 'Ü漢'")
    assert done.returncode == 4
    assert "\\xdc\\u6f22" in done.stderr


def test_specs_from_standard_input(cli: CommandLine) -> None:
    import io

    cli.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WEB.encode())))
    assert cli("validate", "-f", "-").out == "web: valid for fake\n"


def test_deploy_goes_on_when_stderr_is_closed(tmp_path: Path) -> None:
    (tmp_path / "orch.yaml").write_text(WEB)
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "ORCHCTL_STATE_DIR": str(tmp_path / "state"), "ORCHCTL_CONTEXT": "t"}
    (tmp_path / ".orchctl.toml").write_text('[contexts.t]\nbackend = "fake"\n')
    root = Path(__file__).parents[2]
    environment["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "backends")])
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.fake_program", "deploy", "-o", "json"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=write,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert done.returncode == 0
    assert json.loads(done.stdout)["state"] == "converged"
