from __future__ import annotations

import json
from typing import Any

import pytest

from orchctl.cli.config import hide_user
from tests.cli.harness import CommandLine


def _settings(cli: CommandLine, *words: str) -> dict[str, dict[str, Any]]:
    result = cli("config", "-o", "json", *words)
    assert result.code == 0, result.err
    return {item["name"]: item for item in json.loads(result.out)["items"]}


def _origins(cli: CommandLine, *words: str) -> dict[str, tuple[object, str]]:
    return {name: (item["value"], item["origin"] or item["source"]) for name, item in _settings(cli, *words).items()}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def test_table_of_settings_with_their_origin(cli: CommandLine) -> None:
    cli.monkeypatch.setenv("ORCHCTL_STATE_DIR", "/s")
    lines = [line.split() for line in cli("config", "--context", "prod", "-n", "lab").out.splitlines()]
    assert lines[0] == ["SETTING", "VALUE", "ORIGIN"]
    assert ["context", "prod", "--context"] in lines
    assert ["namespace", "lab", "--namespace"] in lines
    assert ["state_dir", "/s", "ORCHCTL_STATE_DIR"] in lines


def test_lines_of_the_file_and_defaults(cli: CommandLine) -> None:
    found = _origins(cli)
    assert found.pop("files") == (["DIR/.orchctl.toml"], "default")
    assert found.pop("state_dir")[1] == "ORCHCTL_STATE_DIR"
    assert found == {
        "context": ("test", "DIR/.orchctl.toml:1"),
        "backend": ("fake", "DIR/.orchctl.toml:3"),
        "namespace": ("default", "default"),
        "protected": (False, "default"),
        "color": ("auto", "default"),
        "progress": ("auto", "default"),
    }


def test_settings_of_the_backend_have_its_name_in_front(cli: CommandLine) -> None:
    text = (
        '[contexts.here]\nbackend = "local"\n# where\nstate_dir = "x"\nlimits.cpu = 2\n[contexts.here.tls]\nca = "c"\n'
    )
    cli.write(".orchctl.toml", text)
    found = _settings(cli, "--context", "here")
    assert (found["local.state_dir"]["value"], found["local.state_dir"]["line"]) == ("x", 4)
    assert (found["local.limits"]["value"], found["local.limits"]["line"]) == ({"cpu": 2}, 5)
    assert (found["local.tls"]["value"], found["local.tls"]["line"]) == ({"ca": "c"}, 6)
    assert found["state_dir"]["source"] == "environment"


def test_a_table_in_one_line_has_a_file_but_no_line(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", 'contexts = {here = {backend = "local", protected = true}}\n')
    found = _settings(cli, "--context", "here")
    assert [found["backend"][key] for key in ("source", "origin", "line")] == ["file", "DIR/.orchctl.toml", 0]
    assert found["protected"]["source"] == "file"
    assert found["namespace"]["source"] == "default"


def test_variables_and_flags_stand_before_files(cli: CommandLine) -> None:
    for name, value in {"ORCHCTL_CONTEXT": "prod", "NO_COLOR": "1", "CI": "true"}.items():
        cli.monkeypatch.setenv(name, value)
    cli.monkeypatch.setenv("ORCHCTL_FINGERPRINT_KEY", "s3cret-s3cret")
    found = _origins(cli, "-n", "lab", "--progress", "plain")
    assert found["context"] == ("prod", "ORCHCTL_CONTEXT")
    assert found["namespace"] == ("lab", "--namespace")
    assert found["color"] == ("never", "NO_COLOR")
    assert found["progress"] == ("plain", "--progress")
    assert found["fingerprint_key"] == ("***", "ORCHCTL_FINGERPRINT_KEY")
    assert _origins(cli)["progress"] == ("plain", "CI")


def test_backend_flag_needs_no_context(cli: CommandLine) -> None:
    found = _origins(cli, "--backend", "local")
    assert (found["context"], found["backend"]) == (("local", "--backend"), ("local", "--backend"))


def test_unknown_context_is_an_error(cli: CommandLine) -> None:
    assert cli("config", "--context", "nope").code == 2


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("http://admin:hunter2@h:1", "http://***@h:1"),
        ("http://hunter2@h:1/x@y", "http://***@y"),
        ("https//admin:hunter2@h", "https//***@h"),
        ("ssh://me@h", "ssh://***@h"),
        ("http://h:1", "http://h:1"),
        ("me@h", "me@h"),
    ],
)
def test_who_logs_in_at_an_address_is_not_shown(written: str, shown: str) -> None:
    assert hide_user(written) == shown


def test_a_password_that_stands_in_the_file_is_not_shown(cli: CommandLine) -> None:
    cli.write(
        ".orchctl.toml",
        '[contexts.here]\nbackend = "marathon"\nurls = ["http://u:hunter2@h:1"]\ncatalog = "main"\n'
        'auth = {user = "x", password = "hunter2", token_file = "t"}\n[catalogs.main]\nconsul = "http://a:hunter2@h"\n',
    )
    for words in ([], ["-o", "json"], ["-o", "yaml"]):
        result = cli("config", "--context", "here", *words)
        assert result.code == 0
        assert "hunter2" not in result.out + result.err
        assert "token_file" in result.out
