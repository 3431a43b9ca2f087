"""Registration on the command line, where the catalog cannot be reached or is not there."""

from __future__ import annotations

import json

import pytest

from orchctl.cli.configuration import load_configuration
from orchctl.errors import ConfigError
from tests.cli.conftest import cli as cli
from tests.cli.harness import WEB, CommandLine

AWAY = (
    'default = "test"\n[contexts.test]\nbackend = "fake"\ncatalog = "main"\ncluster = "prod"\nregister = true\n'
    'register_address = "instance"\n[catalogs.main]\nconsul = "http://127.0.0.1:1"\n'
)
TWO = """\
services:
  a: {image: x/a:1, rollout: {min_ready: 0s}, ports: [{name: http, port: 80}]}
  b: {image: x/b:1, rollout: {min_ready: 0s}, needs: {a: "*"}}
"""


def test_a_catalog_that_is_away_is_11_and_no_failure_of_the_rollout(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY)
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "-o", "json")
    document = json.loads(result.out)
    assert (result.code, document["state"], document["exit_code"], document["error_code"]) == (
        11,
        "converged",
        11,
        "E0900",
    )
    assert "the catalog is not up to date: Consul at http://127.0.0.1:1: Connection refused" in document["message"]
    assert json.loads(cli("status", "-o", "json").out)["items"][0]["phase"] == "healthy"
    again = cli("deploy", "-o", "json")
    assert (again.code, json.loads(again.out)["state"]) == (11, "unchanged")
    gone = cli("delete", "web", "--yes", "-o", "json")
    assert (gone.code, json.loads(gone.out)["state"]) == (11, "deleted")


def test_what_could_not_be_registered_keeps_nobody_from_being_deployed(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY)
    cli.write("orch.yaml", TWO)
    result = cli("deploy", "-o", "json")
    assert result.code == 11
    assert [o["state"] for o in json.loads(result.out)["items"]] == ["converged", "converged"]


def test_nothing_is_registered_without_waiting(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY)
    cli.write("orch.yaml", WEB)
    assert cli("deploy", "--no-wait").code == 0


def test_a_registration_without_a_catalog_is_told_in_the_plan(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "register: true\n")
    assert "warn    register: context 'test' has no catalog, so the service is registered nowhere" in cli("plan").out
    assert cli("deploy").code == 0
    assert cli("deploy", "--strict").code == 2


@pytest.mark.parametrize("words", [("sync",), ("consul", "ls"), ("consul", "gc", "--yes"), ("render", "consul-policy")])
def test_a_context_without_a_catalog_is_named(cli: CommandLine, words: tuple[str, ...]) -> None:
    result = cli(*words)
    assert result.code == 2
    assert "context 'test' has no catalog" in result.err
    assert 'catalog = "NAME"' in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("discover", "a", "--watch"), "--watch is for one name of the catalog"),
        (("discover", "a", "b", "--from", "catalog", "--watch"), "--watch is for one name of the catalog"),
        (("discover", "a", "--from", "catalog", "--watch", "-o", "json"), "--watch does not go with -o json"),
        (("discover", "a", "--dns", "-o", "srv"), "--dns does not go with -o srv"),
        (("sync", "--watch", "-o", "json"), "--watch does not go with -o json"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(
    cli: CommandLine, words: tuple[str, ...], message: str
) -> None:
    cli.write(".orchctl.toml", AWAY)
    result = cli(*words)
    assert result.code == 2
    assert message in result.err


def test_every_context_is_asked_and_one_that_fails_is_told(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY + '[contexts.other]\nbackend = "fake"\n[contexts.broken]\nbackend = "nope"\n')
    cli.write("orch.yaml", WEB)
    assert cli("deploy", "--context", "other").code == 0
    result = cli("discover", "web", "--from", "all", "--context", "other", "-o", "json")
    assert result.code == 0, result.err
    assert {(e["context"], e["backend"]) for e in json.loads(result.out)["items"]} == {
        ("other", "fake"),
        ("test", "fake"),
    }
    assert "context broken: " in result.err


def test_the_policy_has_the_names_of_the_specs(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY)
    cli.write("orch.yaml", WEB.replace("ports: [", "ports: [{name: main, port: 1}, ") + "register: {name: www}\n")
    out = cli("render", "consul-policy", "-f", "orch.yaml").out
    assert 'node_prefix "orchctl-prod-" { policy = "write" }' in out
    assert 'service "www" { policy = "write" }\nservice "www-http" { policy = "write" }\n' in out
    assert "service_prefix" not in out
    assert json.loads(cli("render", "consul-policy", "-o", "json").out)["kind"] == "ConsulPolicy"


def test_a_context_shows_what_it_shares(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY)
    assert "catalog: main\nstore: fake itself\ncluster: prod\n" in cli("context", "show").out
    document = json.loads(cli("context", "show", "-o", "json").out)
    assert (document["catalog"], document["store"], document["cluster"]) == ("main", "", "prod")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("register = true\n", "register needs a catalog"),
        ('register = "yes"\n', "register must be true or false"),
        ('register_address = "pods"\n', "register_address is service or instance, not 'pods'"),
    ],
)
def test_what_is_wrong_with_registration_in_a_context_is_named(cli: CommandLine, text: str, message: str) -> None:
    cli.write(".orchctl.toml", f'[contexts.a]\nbackend = "fake"\n{text}')
    with pytest.raises(ConfigError, match=message) as caught:
        load_configuration(cli.directory, {})
    assert caught.value.line == 3


def test_what_was_listed_is_withdrawn_when_the_context_says_something_else_since(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY)
    cli.write("orch.yaml", WEB)
    assert cli("deploy").code == 11
    cli.write(".orchctl.toml", AWAY.replace("register = true", "register = false"))
    gone = cli("delete", "web", "--yes")
    assert gone.code == 11, "the catalog was asked, which is away"
    assert "still registered, going on" in gone.err


def test_what_was_never_listed_asks_no_catalog(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY.replace("register = true", "register = false"))
    cli.write("orch.yaml", WEB)
    assert cli("deploy").code == 0
    assert cli("delete", "web", "--yes").code == 0


def test_doctor_looks_at_the_catalog(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY)
    result = cli("doctor", "-o", "json")
    assert result.code == 9
    checks = {c["name"]: c for c in json.loads(result.out)["items"][0]["checks"]}
    assert checks["catalog"]["health"] == "bad"
    assert "Connection refused" in checks["catalog"]["finding"]


def test_two_directories_of_processes_are_two_clusters(cli: CommandLine) -> None:
    text = '[contexts.here]\nbackend = "local"\ncatalog = "main"\n{}[catalogs.main]\nconsul = "http://127.0.0.1:1"\n'

    def cluster() -> str:
        settings = json.loads(cli("config", "--context", "here", "-o", "json").out)["items"]
        return str(next(s["value"] for s in settings if s["name"] == "cluster"))

    cli.write(".orchctl.toml", text.format(""))
    first = cluster()
    cli.monkeypatch.setenv("ORCHCTL_STATE_DIR", str(cli.directory / "another"))
    second = cluster()
    cli.write(".orchctl.toml", text.format('state_dir = "mine"\n'))
    third = cluster()
    assert len({first, second, third}) == 3
    cli.write(".orchctl.toml", text.format('cluster = "edge"\n'))
    assert cluster() == "edge"


def test_a_watching_sync_prints_documents_in_a_stream_only(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY)
    result = cli("sync", "--watch", "--query", "service")
    assert result.code == 2
    assert "add -o jsonl" in result.err


@pytest.mark.parametrize(
    "address", ["http://admin:hunter2@127.0.0.1:99999", "https//admin:hunter2@h", "http://hunter2@h:8500"]
)
def test_a_password_in_the_address_is_refused_and_not_repeated(cli: CommandLine, address: str) -> None:
    cli.write(".orchctl.toml", AWAY.replace("http://127.0.0.1:1", address))
    result = cli("consul", "ls")
    assert result.code == 2
    assert "hunter2" not in result.err


def test_a_dns_server_with_a_name_that_none_can_have_is_unreachable(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", AWAY + 'dns = "a..b:53"\n')
    result = cli("discover", "web", "--from", "catalog", "--dns")
    assert result.code == 9
    assert "does not answer" in result.err
