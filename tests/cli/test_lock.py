from __future__ import annotations

import json

from orchctl.core.store import Entry
from tests.cli.harness import WEB, CommandLine

HOLDER = {
    "user": "ci",
    "host": "build-7",
    "boot": "another",
    "pid": "411",
    "pid_start": "1",
    "command": "orchctl deploy",
    "token": "abc",
    "acquired_at": "2030-01-01T00:00:00Z",
    "ttl_ms": "60000",
}


def _lock(cli: CommandLine) -> None:
    key = "default/web/lease"
    cli.cluster.entries[key] = Entry(key=key, meta=dict(HOLDER), version="7")


def test_free(cli: CommandLine) -> None:
    result = cli("lock", "show")
    assert (result.code, result.out, result.err) == (0, "", "nothing is locked in namespace default of context test\n")


def test_holder_is_shown(cli: CommandLine) -> None:
    _lock(cli)
    assert cli("lock", "show").out == (
        "SERVICE  HOLDER      PID  SINCE                 COMMAND\n"
        "web      ci@build-7  411  2030-01-01T00:00:00Z  orchctl deploy\n"
    )
    assert json.loads(cli("lock", "show", "-o", "json").out)["items"][0]["host"] == "build-7"
    assert cli("lock", "show", "api").out == ""


def test_deploy_waits_for_the_holder_and_gives_up(cli: CommandLine) -> None:
    _lock(cli)
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--lock-timeout", "3s")
    assert result.code == 5
    assert "web: waiting for ci@build-7 (pid 411, since 2030-01-01T00:00:00Z): orchctl deploy\n" in result.err
    assert "error[E0503]: service 'web' in namespace 'default' is being changed by ci@build-7" in result.err


def test_breaking_needs_a_confirmation(cli: CommandLine) -> None:
    _lock(cli)
    result = cli("lock", "break", "web")
    assert result.code == 2
    assert "Break the lock of web, held by ci@build-7" in result.err
    assert cli.cluster.entries["default/web/lease"].meta["token"] == "abc"


def test_broken_lock_is_free(cli: CommandLine) -> None:
    _lock(cli)
    result = cli("lock", "break", "web", "--yes")
    assert result.code == 0
    assert result.err.splitlines()[0] == "fake at fake://memory, namespace default, context test"
    assert result.err.splitlines()[1].startswith("web: the lock of ci@build-7")
    assert cli("lock", "show").out == ""


def test_breaking_a_free_lock_is_no_failure(cli: CommandLine) -> None:
    result = cli("lock", "break", "web")
    assert (result.code, result.err.splitlines()[-1]) == (0, "web is not locked")
