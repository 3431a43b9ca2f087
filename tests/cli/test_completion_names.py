"""The names behind TAB: what commands note, where, and what ``__complete`` makes of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchctl.cli import names_cache, noting
from orchctl.core.context import Context
from orchctl.core.store import Entry
from orchctl.testing.fake import FakeStore
from tests.cli.harness import WEB, CommandLine

TWO = (
    "services:\n  web: {image: x/web:1, rollout: {min_ready: 0s}}\n  api: {image: x/api:1, rollout: {min_ready: 0s}}\n"
)


def offered(kind: str, *words: str) -> list[str]:
    return names_cache.offered(kind, [*words], os.getcwd(), os.environ)


def services_file(context: str) -> Path:
    base = names_cache.cache_dir(os.environ)
    return Path(names_cache.services_path(base, names_cache.as_file(f"{os.getcwd()}/{context}")))


def test_a_deploy_notes_its_service_and_revision(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(WEB.replace("web:1", "web:2"))
    assert offered("services", "status") == ["web"]
    assert offered("targets", "scale") == ["web="]
    assert offered("revisions", "rollback", "web", "--to") == ["2", "1"]
    assert offered("revisions", "rollback", "--to") == []


def test_services_deployed_side_by_side_are_noted(cli: CommandLine) -> None:
    cli.deploy(TWO)
    assert offered("services", "status") == ["api", "web"]
    assert offered("services", "delete", "web") == ["api"]
    assert offered("targets", "scale", "web=5") == ["api="]


def test_a_delete_forgets(cli: CommandLine) -> None:
    cli.deploy(TWO)
    assert cli("delete", "web", "--yes").code == 0
    assert offered("services", "status") == ["api"]


@pytest.mark.parametrize("words", [("status",), ("history", "web")])
def test_a_look_corrects_what_is_stale(cli: CommandLine, words: tuple[str, ...]) -> None:
    cli.deploy()
    services_file("test").write_text("default\tweb\t9\nother\tkept\t1\n")
    assert cli(*words).code == 0
    assert offered("revisions", "rollback", "web", "--to") == ["1"]
    assert offered("services", "status", "-n", "other") == ["kept"]


def test_the_place_that_is_typed_already_counts(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", WEB.replace("name: web", "name: cart"))
    assert cli("deploy", "--context", "prod", "--yes=prod").code == 0
    assert offered("services", "status") == ["web"]
    for words in (["--context", "prod"], ["--context=prod"], ["--context", "'prod'"]):
        assert offered("services", "status", *words) == ["cart"]
    assert offered("namespaces", "status", "--context", "prod") == ["shop"]
    assert offered("services", "status", "--context", "prod", "-n", "default") == []
    assert offered("services", "status", "-nshop") == []
    cli.monkeypatch.setenv("ORCHCTL_CONTEXT", "prod")
    assert offered("services", "status") == ["cart"]
    assert offered("services", "status", "--context", "test") == ["web"]
    cli.monkeypatch.setenv("ORCHCTL_CONTEXT", "unknown")
    assert offered("services", "status") == []


def test_a_backend_with_its_defaults_is_a_place_of_its_own(cli: CommandLine) -> None:
    cli.deploy()
    assert offered("services", "status", "--backend", "fake") == []
    assert cli("status", "--backend", "fake").code == 0
    assert offered("services", "status", "--backend", "fake") == ["web"]
    assert offered("services", "status", "--backend", "../x") == []


def test_contexts_are_those_of_the_working_directory(cli: CommandLine, tmp_path: Path) -> None:
    assert cli("context", "ls").code == 0
    assert offered("contexts") == ["local", "prod", "test"]
    inner = cli.directory / "inner"
    inner.mkdir()
    cli.monkeypatch.chdir(inner)
    assert offered("contexts") == ["local", "prod", "test"]
    cli.monkeypatch.chdir(tmp_path)
    assert offered("contexts") == []
    assert cli("status").code == 0
    assert offered("contexts") == ["local"]


def test_a_new_default_is_noted(cli: CommandLine) -> None:
    cli.deploy()
    cli.monkeypatch.setenv("ORCHCTL_CONFIG", ".orchctl.toml")
    assert cli("context", "use", "prod").code == 0
    assert offered("services", "status") == []
    assert cli("context", "use", "test").code == 0
    assert offered("services", "status") == ["web"]


def test_nothing_new_is_not_written(cli: CommandLine) -> None:
    cli.deploy()
    before = services_file("test").stat()
    assert cli("status").code == cli("scale", "web=3").code == 0
    after = services_file("test").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_only_the_user_can_read_it(cli: CommandLine) -> None:
    cli.deploy()
    base = Path(names_cache.cache_dir(os.environ))
    modes = {path.stat().st_mode & 0o777 for path in base.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (base, base / "services", base / "contexts")} == {0o700}


def test_a_command_that_fails_notes_nothing(cli: CommandLine) -> None:
    assert cli("status", "nothing").code == 4
    assert not Path(names_cache.cache_dir(os.environ)).exists()


def test_offline_verbs_note_nothing(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("validate").code == cli("render").code == 0
    assert not Path(names_cache.cache_dir(os.environ)).exists()


def test_looking_for_hours_keeps_no_more_than_one_look(cli: CommandLine) -> None:
    notes = noting.Notes()
    store = notes.watch(FakeStore(cli.cluster))
    for number in range(50):
        store.list("default/")
        store.create("default/web/lease", b"", {})
        store.delete("default/web/lease", expect=store.get("default/web/lease").version)  # type: ignore[union-attr]
        store.create(f"default/web/r/0000000{number % 3 + 1}", b"", {})
        store.delete(f"default/web/r/0000000{number % 3 + 1}", expect=store.list("default/web/r/")[0].version)
    assert len(notes._seen) < 15
    store.create("default/web/r/00000007", b"", {})
    store.list("default/")
    notes.keep(Context(name="fake", backend="fake", state_dir=cli.directory))
    directory = names_cache.cache_dir(os.environ)
    assert names_cache.text_of(names_cache.services_path(directory, "fake")) == "default\tweb\t7\n"


class HostileStore(FakeStore):
    def list(self, prefix: str) -> Sequence[Entry]:
        names = ("ok", "a b", "$(x)", "`x`", "a\nb", "a\tb", "\x1b[2J", "-rf", ".", "..", "*", "'", "x" * 300, "ü", "")
        return [Entry(key=f"default/{name}/r/00000001") for name in names] + [Entry(key="default/ok/r/x\n2")]


def test_hostile_names_are_not_noted(cli: CommandLine) -> None:
    notes = noting.Notes()
    notes.watch(HostileStore(cli.cluster)).list("default/")
    notes.keep(Context(name="fake", backend="fake", state_dir=cli.directory))
    directory = names_cache.cache_dir(os.environ)
    assert names_cache.text_of(names_cache.services_path(directory, "fake")) == "default\tok\t1\n"


def test_hostile_contexts_are_not_noted(cli: CommandLine) -> None:
    hostile = '\n["contexts"."a b"]\nbackend="fake"\n["contexts"."$(x)"]\nbackend="fake"\n'
    path = cli.directory / ".orchctl.toml"
    path.write_text(path.read_text() + hostile)
    assert cli("context", "ls").code == 0
    assert offered("contexts") == ["local", "prod", "test"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00\n",
        b"default\tweb",
        b"default\tweb\n",
        b"default\tw eb\t1\n",
        b"\t\t\n\n\n",
        b"default\t$(x)\t1\n",
        b"default\tweb\r\t1\n",
        b"default\t\x1b]0;x\x07\t1\n",
    ],
)
def test_a_cache_that_is_not_as_it_should_be_offers_nothing(cli: CommandLine, content: bytes) -> None:
    cli.deploy()
    services_file("test").write_bytes(content)
    assert offered("services", "status") == []


def test_a_place_with_odd_characters_is_a_place(cli: CommandLine, tmp_path: Path) -> None:
    odd = tmp_path / "a\tb\n%2F'$(x)"
    odd.mkdir()
    (odd / ".orchctl.toml").write_text((cli.directory / ".orchctl.toml").read_text())
    cli.monkeypatch.chdir(odd)
    cli.write("orch.yaml", WEB)
    assert cli("deploy", "-f", str(cli.directory / "orch.yaml")).code == 0
    assert offered("services", "status") == ["web"]


def test_of_many_projects_the_oldest_is_dropped(cli: CommandLine) -> None:
    cli.deploy()
    directory = services_file("test").parent
    for number in range(200):
        (directory / f"old{number}").write_text("")
        os.utime(directory / f"old{number}", (number, number))
    services_file("test").unlink()
    before = len(list(directory.iterdir()))
    assert cli("status").code == 0
    assert len(list(directory.iterdir())) <= before
    assert not (directory / "old0").exists()
    assert offered("services", "status") == ["web"]
