"""Catalogs in the configuration, and commands whose records are in a Consul (in memory)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from orchctl.catalog.consul import Consul
from orchctl.cli.configuration import load_configuration
from orchctl.cli.options import Where
from orchctl.cli.place import find_context
from orchctl.core import stores
from orchctl.core.context import Context
from orchctl.errors import ConfigError
from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import Fault, FaultKind
from tests.cli.conftest import cli as cli
from tests.cli.harness import WEB, CommandLine
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Answered, Front, answering

CATALOG = '[catalogs.main]\nconsul = "http://127.0.0.1:1"\n'


def configured(cli: CommandLine, front: Front, context: str = "", catalog: str = "") -> None:
    cli.write(
        ".orchctl.toml",
        f'default = "test"\n[contexts.test]\nbackend = "fake"\ncatalog = "main"\nstore = "consul"\n{context}'
        f'[catalogs.main]\nconsul = "{front.url}"\n{catalog}',
    )


def settings(cli: CommandLine, *words: str) -> dict[str, dict[str, Any]]:
    result = cli("config", "-o", "json", *words)
    assert result.code == 0, result.err
    return {item["name"]: item for item in json.loads(result.out)["items"]}


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('[catalog.main]\nconsul = "http://h"\n', 1, "unknown key 'catalog'", "did you mean 'catalogs'?"),
        (
            '[catalogs.main]\ntoken_file = "t"\n',
            1,
            "catalog 'main' names no address",
            'consul = "http://127.0.0.1:8500"',
        ),
        ("[catalogs.main]\nconsul = 8500\n", 2, "consul must be a text in quotes", ""),
        ("[catalogs]\nmain = 3\n", 2, "catalogs.main is not a table", "[catalogs.main]"),
        (f'[contexts.a]\nbackend = "fake"\ncatalog = "mian"\n{CATALOG}', 3, "there is no catalog 'mian'", "'main'"),
        ('[contexts.a]\nbackend = "fake"\ncatalog = "main"\n', 3, "there is no catalog 'main'", "[catalogs.main]"),
        (f'[contexts.a]\nbackend = "fake"\nstore = "consul"\n{CATALOG}', 3, "needs a catalog", 'catalog = "NAME"'),
        (
            f'[contexts.a]\nbackend = "fake"\ncatalog = "main"\nstore = "consol"\n{CATALOG}',
            4,
            "there is no store 'consol'",
            "known: consul",
        ),
        (f'[contexts.a]\nbackend = "fake"\ncatalogue = "main"\n{CATALOG}', 3, "unknown key 'catalogue'", "'catalog'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(cli: CommandLine, text: str, line: int, message: str, hint: str) -> None:
    cli.write(".orchctl.toml", text)
    with pytest.raises(ConfigError) as caught:
        load_configuration(cli.directory, {})
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert (caught.value.file, caught.value.line) == (str(cli.directory / ".orchctl.toml"), line)


def test_a_project_may_use_a_catalog_of_its_user(cli: CommandLine) -> None:
    user = cli.directory.parent / "home/config/orchctl/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('[catalogs.main]\nconsul = "http://h"\nca = "ca.pem"\n')
    cli.write(".orchctl.toml", '[contexts.a]\nbackend = "fake"\ncatalog = "main"\nstore = "consul"\n')
    context = find_context(Where(context="a"))
    assert context.catalog is not None
    assert (context.catalog.name, context.catalog.kind, context.catalog.base_dir) == ("main", "consul", user.parent)
    assert (context.store, context.cluster) == ("consul", "a")


def test_a_cluster_has_its_contexts_name_or_the_one_that_is_given(cli: CommandLine) -> None:
    import socket

    cli.write(
        ".orchctl.toml",
        '[contexts.a]\nbackend = "fake"\n[contexts.b]\nbackend = "fake"\ncluster = "a"\n[contexts.c]\nbackend = "local"\n',
    )
    assert find_context(Where(context="a")).cluster == find_context(Where(context="b")).cluster == "a"
    machine = re.escape(socket.gethostname())
    assert re.fullmatch(rf"c\.{machine}-[0-9a-f]{{8}}", find_context(Where(context="c")).cluster), "and its directory"


def test_a_name_that_cannot_be_a_key_is_refused(cli: CommandLine, front: Front) -> None:
    configured(cli, front, 'cluster = "a/b"\n')
    result = cli("status")
    assert result.code == 2
    assert "'a/b' cannot be part of a key in Consul" in result.err
    assert front.requests == []


def test_a_store_that_is_unknown_here_is_no_traceback(tmp_path: Any, cli: CommandLine) -> None:
    context = Context(name="a", backend="fake", state_dir=tmp_path, store="etcd")
    with pytest.raises(ConfigError, match="there is no store 'etcd'"):
        stores.connect(FakeBackend(cli.cluster), context)


def test_a_backend_that_cannot_be_reached_leaves_no_open_store(
    cli: CommandLine, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(Consul, "close", lambda self: closed.append(self.words))
    configured(cli, front)
    cli.cluster.set_fault(Fault(FaultKind.UNREACHABLE, at=0))
    assert cli("status").code == 9
    assert cli("status").code == 0
    assert len(closed) == 2


def test_every_setting_has_its_origin_and_no_token_is_shown(cli: CommandLine, front: Front) -> None:
    cli.write("token", "s3cret-token")
    configured(cli, front, 'cluster = "prod"\n', 'token_file = "token"\n')
    found = settings(cli)
    assert {name: (found[name]["value"], found[name]["line"]) for name in found if found[name]["line"] > 3} == {
        "catalog": ("main", 4),
        "store": ("consul", 5),
        "cluster": ("prod", 6),
        "main.consul": (front.url, 8),
        "main.token_file": ("token", 9),
    }
    assert "s3cret-token" not in cli("config").out
    configured(cli, front)
    assert settings(cli)["cluster"] | {"value": ""} == settings(cli)["cluster"] | {"value": "", "source": "default"}
    assert not {"catalog", "store", "cluster"} & set(settings(cli, "--backend", "fake"))


def test_every_verb_finds_its_records_there_and_nothing_with_the_backend(
    cli: CommandLine, front: Front, server: FakeConsul
) -> None:
    configured(cli, front, 'cluster = "prod"\n')
    cli.deploy()
    assert cli.cluster.entries == {}
    assert sorted(server.pairs) == ["orchctl/prod/default/web/lease", "orchctl/prod/default/web/r/00000001"]
    assert cli("history", "web").code == 0
    assert cli("scale", "web=3").code == 0
    assert cli("status").out.splitlines()[1].split()[0] == "web"
    assert cli("delete", "web", "--yes").code == 0
    assert (server.pairs, server.sessions) == ({}, {})


def test_several_services_at_once_keep_their_records_there(cli: CommandLine, front: Front, server: FakeConsul) -> None:
    configured(cli, front)
    body = WEB.replace("name: web\n", "").replace("\n", "\n    ")
    cli.deploy(f"services:\n  web:\n    {body}\n  api:\n    {body}\n")
    assert {key.split("/")[3] for key in server.pairs} == {"web", "api"}
    assert server.sessions == {}


def test_the_first_line_of_a_write_names_the_store(cli: CommandLine, front: Front) -> None:
    configured(cli, front, 'cluster = "prod"\n')
    cli.write("orch.yaml", WEB)
    assert cli("deploy").err.splitlines()[0] == (
        f"fake at fake://memory, records and locks in Consul at {front.url} (orchctl/prod/), namespace default, context test"
    )


def test_locks_are_shown_and_broken(cli: CommandLine, front: Front, server: FakeConsul) -> None:
    configured(cli, front, 'cluster = "prod"\n')
    context = find_context(Where())
    meta = {
        "token": "t",
        "user": "ci",
        "host": "build-7",
        "pid": "411",
        "command": "orchctl deploy",
        "acquired_at": "now",
    }
    with stores.connect(FakeBackend(cli.cluster), context) as connection:
        connection.store.create("default/web/lease", b"", meta)
    assert "ci@build-7" in cli("lock", "show").out
    assert "Session" in server.pairs["orchctl/prod/default/web/lease"]
    assert cli("lock", "break", "web", "--yes").code == 0
    assert cli("lock", "show").out == ""
    assert "Session" not in server.pairs["orchctl/prod/default/web/lease"]


@pytest.mark.parametrize(("cluster", "code"), [("prod", 5), ("stage", 0)])
def test_contexts_with_other_names_meet_on_the_lock_of_one_cluster(
    cli: CommandLine, front: Front, cluster: str, code: int
) -> None:
    other = f'[contexts.mine]\nbackend = "fake"\ncatalog = "main"\nstore = "consul"\ncluster = "{cluster}"\n'
    configured(cli, front, f'cluster = "prod"\n{other}')
    with stores.connect(FakeBackend(cli.cluster), find_context(Where())) as connection:
        connection.store.create("default/web/lease", b"", {"token": "t", "user": "ci", "host": "build-7"})
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--context", "mine", "--lock-timeout", "1s")
    assert result.code == code
    assert ("is being changed by ci@build-7" in result.err) is (code == 5)


def test_a_lock_whose_session_ended_is_not_shown(cli: CommandLine, front: Front, server: FakeConsul) -> None:
    configured(cli, front)
    with stores.connect(FakeBackend(cli.cluster), find_context(Where())) as connection:
        connection.store.create("default/web/lease", b"", {"token": "t", "user": "ci"})
    server.invalidate(next(iter(server.sessions)))
    assert (cli("lock", "show").code, cli("lock", "show").out) == (0, "")


def test_doctor_looks_at_the_store_and_then_at_the_backend(cli: CommandLine, front: Front) -> None:
    configured(cli, front, 'cluster = "prod"\n')
    result = cli("doctor")
    assert result.code == 0
    assert result.out.splitlines()[3:] == [
        f"good     test  store: answered by Consul at {front.url}, records below orchctl/prod/",
        "good     test  store version: Consul 1.20.6",
        "good     test  store rights: may read and write below orchctl/prod/default/ and create sessions",
        f"good     test  catalog: Consul at {front.url} shows 0 services of this cluster",
    ]


def test_doctor_names_the_rights_that_are_missing(cli: CommandLine, front: Front, server: FakeConsul) -> None:
    configured(cli, front, 'cluster = "prod"\n')
    server.may_write = False
    result = cli("doctor")
    assert result.code == 10
    assert 'the token\'s policy needs: key "orchctl/prod/default/:" { policy = "write" }' in result.out
    assert 'the token\'s policy needs: session "test" { policy = "write" }' in result.out


def test_a_store_that_does_not_answer_hides_nothing_of_the_backend(cli: CommandLine) -> None:
    with Front(FakeConsul().respond) as gone:
        configured(cli, gone)
    result = cli("doctor")
    assert result.code == 9
    assert "good     test  connection: answered by fake://memory" in result.out
    assert f"bad      test  store: Consul at {gone.url}: Connection refused" in result.out


def test_a_store_without_a_leader_is_said_to_have_none(cli: CommandLine, front: Front) -> None:
    configured(cli, front)
    front.strike = answering(Answered(200, b'""'))
    result = cli("doctor")
    assert result.code == 9
    assert "has no leader" in result.out


def test_no_verb_that_needs_no_store_loads_its_client(cli: CommandLine, front: Front) -> None:
    configured(cli, front)
    cli.write("orch.yaml", WEB)
    assert cli("validate").code == 0
    assert cli("render").code == 0
    assert front.requests == []
