"""Whatever a name says, a command changes nothing beside what is its own."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path

import pytest

from orchctl.cli.configuration import load_configuration
from tests.cli.harness import WEB, CommandLine

VERBS = (
    *(
        "validate {s}",
        "render {s}",
        "plan {s}",
        "deploy {s}",
        "deploy {s} --no-wait",
        "status {s}",
        "history {s}",
        "why {s}",
    ),
    *("scale {s}=2", "discover {s}", "rollback {s} --yes", "restart {s}", "delete {s} --yes", "lock show {s}"),
    *("lock break {s} --yes", "logs {s}", "logs web --instance {s}", "context show {s}", "context use {s}"),
    *("status -n {s}", "deploy -n {s}", "delete web --yes -n {s}", "status --context {s}", "deploy --context {s}"),
    *("status --backend {s}", "deploy --backend {s}", "init {s}", "explain {s}", "schema {s}", "plan --env {s}"),
)
NAMES = (
    *("..", "../..", "../../victim", "/victim", "a/../../../victim", ".", "", "~", "-", "a\nb", "a\tb", "%2e%2e%2f"),
    *("x" * 300, "\u202eweb", "web/..", "web\\..\\..", "$(touch victim)", "*", "web;id", "a\x1b[31m", "é", "\udce9"),
)


@pytest.fixture
def beside(cli: CommandLine) -> Path:
    """Things that lie where such names lead."""
    root = cli.directory.parent
    for place in (
        "victim/default/web",
        "victim/test/web",
        "default/web",
        "state/victim",
        "journal/test/web",
        "evidence",
    ):
        (root / place).mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "r1.json", "x.jsonl", "notes.txt"):
            (root / place / name).write_text("theirs")
    return root


def tree(root: Path) -> dict[str, tuple[int, str]]:
    """All but what is ours: the state, the configuration, the project."""
    ours = ("state/journal", "state/evidence", "state/local", "state/cache", "home", "project", "state/fingerprint.key")
    return {
        str(path.relative_to(root)): (path.lstat().st_mode, path.read_text() if path.is_file() else "")
        for path in root.rglob("*")
        if not any(path.is_relative_to(root / place) for place in ours)
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_word_changes_nothing_beside(cli: CommandLine, beside: Path, name: str) -> None:
    cli.deploy()
    before = tree(beside)
    for verb in VERBS:
        words = [word.replace("{s}", name) for word in verb.split()]
        result = cli(*words)
        assert result.code != 1, (words, result.err)
        assert tree(beside) == before, words
    assert not [p for p in beside.rglob("*") if p.name == "victim" and p.is_file()]


@pytest.mark.parametrize("name", [*NAMES, '/elsewhere/"x', 'a"b', "it's", "eu.prod", "a b", "[x]", "\\"])
def test_a_hostile_context_changes_nothing_beside(cli: CommandLine, beside: Path, name: str) -> None:
    before = tree(beside)
    name = name.replace("\udce9", "e")  # TOML has no lone surrogates
    if name.startswith("/"):
        name = f"{beside}{name}"
    quoted = json.dumps(name, ensure_ascii=False)
    (cli.directory / ".orchctl.toml").write_text(
        f'default = {quoted}\n[contexts.{quoted}]\nbackend = "fake"\n', "utf-8"
    )
    cli.write("orch.yaml", WEB)
    codes = {
        verb: cli(*verb.split()).code for verb in ("deploy", "status", "why web", "context ls", "delete web --yes")
    }
    assert 1 not in codes.values(), codes
    assert tree(beside) == before


@pytest.mark.parametrize("name", ["/elsewhere", "a/b", "..", ".hidden", "", "a\nb", "x" * 101])
def test_a_context_with_such_a_name_is_refused_with_its_line(cli: CommandLine, name: str) -> None:
    quoted = json.dumps(name)
    (cli.directory / ".orchctl.toml").write_text(f'# mine\n[contexts.{quoted}]\nbackend = "fake"\n')
    result = cli("status")
    assert result.code == 2
    assert "cannot be the name of a context" in result.err


@pytest.mark.parametrize("name", ['a"b', "it's", "eu.prod", "a b", "\\", "[x]", "é", "#x"])
def test_use_writes_a_file_that_is_read_again(cli: CommandLine, name: str) -> None:
    (cli.directory / ".orchctl.toml").unlink()
    user = cli.directory.parent / "home/config/orchctl/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text(f'[contexts.{json.dumps(name, ensure_ascii=False)}]\nbackend = "fake"\n', "utf-8")
    assert cli("context", "use", name).code == 0
    assert load_configuration(cli.directory, os.environ).default == name


def test_use_keeps_the_files_mode_and_link(cli: CommandLine) -> None:
    (cli.directory / ".orchctl.toml").unlink()
    user = cli.directory.parent / "home/config/orchctl/config.toml"
    user.parent.mkdir(parents=True)
    kept = cli.directory.parent / "dotfiles.toml"
    kept.write_bytes(b'# mine\r\n[contexts.a]\r\nbackend = "fake"\r\n')
    kept.chmod(0o600)
    user.symlink_to(kept)
    assert cli("context", "use", "a").code == 0
    assert user.is_symlink()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_bytes() == b'default = "a"\r\n# mine\r\n[contexts.a]\r\nbackend = "fake"\r\n'


def test_use_leaves_a_default_that_it_cannot_change(cli: CommandLine) -> None:
    (cli.directory / ".orchctl.toml").unlink()
    user = cli.directory.parent / "home/config/orchctl/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text(
        'default = """\na"""\n[contexts.a]\nbackend = "fake"\n[contexts.b]\nbackend = "fake"\n'.replace("\na", "a")
    )
    before = user.read_text()
    result = cli("context", "use", "b")
    assert tomllib.loads(user.read_text())["default"] == ("b" if result.code == 0 else "a")
    assert result.code == 0 or user.read_text() == before


def test_a_saved_plan_follows_no_planted_link(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its temporary name used to be known beforehand."""
    cli.write("orch.yaml", WEB)
    victim = cli.write("victim.txt", "theirs")
    (cli.directory / f".saved.plan.{os.getpid()}.tmp").symlink_to(victim)
    (cli.directory / f".r.xml.{os.getpid()}.tmp").symlink_to(victim)
    assert cli("plan", "--out", "saved.plan").code == 0
    assert cli("deploy", "--report", "junit=r.xml").code == 0
    assert victim.read_text() == "theirs"
    assert stat.S_IMODE((cli.directory / "saved.plan").stat().st_mode) == 0o600


def test_a_saved_plan_replaces_no_device(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    os.mkfifo(cli.directory / "pipe")
    result = cli("plan", "--out", "pipe")
    assert result.code == 2
    assert "it is no regular file" in result.err
    assert stat.S_ISFIFO((cli.directory / "pipe").stat().st_mode)
