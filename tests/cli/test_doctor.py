from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest

from orchctl.cli.views.checks import check_lines
from orchctl.core.backend import Connection, Live, Reader
from orchctl.core.check import Check, Health
from orchctl.core.context import Context
from orchctl.errors import AuthRefused, BackendUnavailable, ConfigError, Unreachable
from orchctl.testing.fake import FakeBackend, FakeConnection, FakeReader
from orchctl.testing.fake_cluster import Fault, FaultKind
from tests.cli.harness import CommandLine

FINE = Check(name="version", health=Health.GOOD, finding="Fake 1.2")
SOON = Check(name="token", health=Health.WARNING, finding="ends on 2026-12-01", hint="renew it")
RIGHTS = Check(name="permissions", health=Health.BAD, finding="missing: list pods", hint="ask for a Role")
FULL = Check(name="disk", health=Health.BAD, finding="the disk is full", exit_code=9)


class _RefusingReader(FakeReader):
    def live(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Live]:
        raise AuthRefused("may not list definitions")


class _Connection(FakeConnection):
    """``found`` is what it has to say; an exception among it is raised."""

    found: Sequence[Check | Exception] = ()
    refuses = False

    @property
    def reader(self) -> Reader:
        return _RefusingReader(self._cluster) if self.refuses else super().reader

    def checks(self, namespace: str) -> Iterator[Check]:
        for check in self.found:
            if isinstance(check, Exception):
                raise check
            yield check


class _Backend(FakeBackend):
    found: Sequence[Check | Exception] = ()
    refuses = False
    opened: list[_Connection]

    def connect(self, context: Context) -> Connection:
        self.cluster.request("connect")
        connection = _Connection(self.cluster)
        connection.found, connection.refuses = self.found, self.refuses
        self.opened.append(connection)
        return connection


def examined(cli: CommandLine, *found: Check | Exception, refuses: bool = False) -> _Backend:
    backend = _Backend(cli.cluster)
    backend.found, backend.refuses, backend.opened = found, refuses, []
    cli.backends["fake"] = lambda: backend
    return backend


def lone(cli: CommandLine, error: Exception) -> None:
    """A backend ``lone`` that fails to connect, in a context beside one that works."""

    class Failing(FakeBackend):
        def connect(self, context: Context) -> Connection:
            raise error

    cli.backends["lone"] = lambda: Failing(cli.cluster)
    cli.write(".orchctl.toml", 'default = "b"\n[contexts.a]\nbackend = "lone"\n[contexts.b]\nbackend = "fake"\n')


def test_every_context_of_the_configuration_is_looked_at(cli: CommandLine) -> None:
    examined(cli, FINE)
    result = cli("doctor")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        "good     prod  configuration: fake, namespace shop\n"
        "good     prod  backend: fake is installed\n"
        "good     prod  connection: answered by fake://memory\n"
        "good     prod  version: Fake 1.2\n"
        "good     test  configuration: fake, namespace default\n"
        "good     test  backend: fake is installed\n"
        "good     test  connection: answered by fake://memory\n"
        "good     test  version: Fake 1.2\n"
    )


def test_without_a_configuration_it_is_local(cli: CommandLine) -> None:
    (cli.directory / ".orchctl.toml").unlink()
    document = json.loads(cli("doctor", "-o", "json").out)
    assert [(i["context"], i["backend"]) for i in document["items"]] == [("local", "local")]
    assert [c["name"] for c in document["items"][0]["checks"]][-3:] == ["state directory", "disk", "supervisor"]


def test_the_context_in_force_is_looked_at_also_when_it_is_built_in(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", '[contexts.prod]\nbackend = "fake"\n')
    document = json.loads(cli("doctor", "-o", "json").out)
    assert [i["context"] for i in document["items"]] == ["local", "prod"]


@pytest.mark.parametrize("words", ["--context prod", "--backend fake -n shop"])
def test_one_context_when_it_is_named(cli: CommandLine, words: str) -> None:
    examined(cli, FINE)
    result = cli("doctor", *words.split())
    assert result.code == 0
    assert {line.split()[1] for line in result.out.splitlines()} == {words.split()[1]}
    assert "namespace shop" in result.out


def test_document(cli: CommandLine) -> None:
    examined(cli, FINE, SOON)
    document = json.loads(cli("doctor", "--context", "prod", "-o", "json").out)
    assert document["kind"] == "DoctorReport"
    [item] = document["items"]
    assert (item["context"], item["backend"]) == ("prod", "fake")
    assert item["checks"][-1] == {
        "name": "token",
        "health": "warning",
        "finding": "ends on 2026-12-01",
        "hint": "renew it",
    }


def test_a_warning_says_what_to_do_and_is_no_failure(cli: CommandLine) -> None:
    examined(cli, SOON)
    result = cli("doctor", "--context", "test")
    assert result.code == 0
    assert result.out.endswith("warning  test  token: ends on 2026-12-01\n               help: renew it\n")


@pytest.mark.parametrize(
    ("found", "code"), [((FINE,), 0), ((RIGHTS,), 10), ((FULL,), 9), ((FULL, RIGHTS), 9), ((SOON, RIGHTS, FULL), 10)]
)
def test_the_first_bad_finding_decides_the_exit_code(cli: CommandLine, found: Sequence[Check], code: int) -> None:
    examined(cli, *found)
    assert cli("doctor").code == code


def test_what_is_unreachable_is_one_bad_finding_after_the_good_ones(cli: CommandLine) -> None:
    lone(cli, Unreachable("no route to host", hint="is it running?"))
    result = cli("doctor")
    assert (result.code, result.err) == (9, "")
    assert result.out == (
        "good     a  configuration: lone, namespace default\n"
        "good     a  backend: lone is installed\n"
        "bad      a  connection: no route to host\n"
        "            help: is it running?\n"
        "good     b  configuration: fake, namespace default\n"
        "good     b  backend: fake is installed\n"
        "good     b  connection: answered by fake://memory\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("no setting 'hots'"), 2, "bad      a  configuration: no setting 'hots'\n"),
        (BackendUnavailable("no SDK", hint="pip install it"), 2, "bad      a  backend: no SDK\n            help: pip"),
        (AuthRefused("who are you?"), 10, "bad      a  connection: who are you?\n"),
        (RuntimeError("boom"), 1, "bad      a  backend: the lone adapter failed unexpectedly: RuntimeError: boom\n"),
    ],
)
def test_no_failure_hides_the_other_contexts(cli: CommandLine, error: Exception, code: int, line: str) -> None:
    lone(cli, error)
    result = cli("doctor")
    assert (result.code, result.err) == (code, "")
    assert line in result.out
    assert "good     b  connection: answered by fake://memory\n" in result.out


def test_a_backend_that_is_not_there_is_a_bad_finding(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", 'default = "old"\n[contexts.old]\nbackend = "fleet"\n')
    result = cli("doctor")
    assert result.code == 2
    assert result.out.startswith("bad      old  backend: no backend is called 'fleet'\n")


def test_a_server_that_is_lost_on_the_way_is_a_bad_finding(cli: CommandLine) -> None:
    examined(cli, FINE, Unreachable("the line is dead"))
    result = cli("doctor", "--context", "test")
    assert result.code == 9
    assert result.out.endswith("good     test  version: Fake 1.2\nbad      test  connection: the line is dead\n")


def test_a_server_that_does_not_answer_is_asked_nothing_more(cli: CommandLine) -> None:
    examined(cli, FINE)
    cli.cluster.set_fault(Fault(FaultKind.UNREACHABLE, at=1, times=9))
    result = cli("doctor", "--context", "test")
    assert result.code == 9
    assert result.out.endswith("bad      test  connection: the fake cluster does not answer\n")


def test_who_is_refused_learns_which_rights_are_missing(cli: CommandLine) -> None:
    examined(cli, RIGHTS, refuses=True)
    result = cli("doctor", "--context", "test")
    assert result.code == 10
    assert "bad      test  connection: may not list definitions\nbad      test  permissions: missing" in result.out


def test_who_is_not_known_at_all_is_told_once(cli: CommandLine) -> None:
    examined(cli, AuthRefused("who are you?"), refuses=True)
    result = cli("doctor", "--context", "test")
    assert (result.code, result.out.count("bad ")) == (10, 1)


def test_a_read_is_given_up_after_ten_seconds(cli: CommandLine) -> None:
    backend = examined(cli, FINE)
    cli("doctor", "--context", "test")
    assert [c.patience_s for c in backend.opened] == [10.0]


def test_a_default_that_does_not_exist_is_a_bad_finding(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", 'default = "prdo"\n[contexts.prod]\nbackend = "fake"\n')
    result = cli("doctor")
    assert result.code == 2
    assert "bad      prdo  configuration: there is no context 'prdo' (default in DIR/.orchctl.toml)\n" in result.out
    assert "help: did you mean 'prod'? known: local, prod\n" in result.out


def test_a_namespace_that_cannot_be_one_is_a_bad_finding(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", 'default = "a"\n[contexts.a]\nbackend = "fake"\nnamespace = "Shop_1"\n')
    result = cli("doctor")
    assert result.code == 2
    assert result.out.startswith("bad      a  configuration: 'Shop_1' is not a namespace name\n")


@pytest.mark.parametrize("words", ["--context nowhere", "-n Shop_1", "--context prod --backend fake"])
def test_a_wrong_command_line_is_a_usage_error(cli: CommandLine, words: str) -> None:
    result = cli("doctor", *words.split())
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error[E01")


def test_quiet_says_what_is_bad(cli: CommandLine) -> None:
    examined(cli, FINE, SOON, RIGHTS)
    result = cli("doctor", "--context", "test", "-q")
    assert result.out == "bad      test  permissions: missing: list pods\n               help: ask for a Role\n"


def test_nothing_is_written(cli: CommandLine) -> None:
    examined(cli, FINE)
    cli("doctor")
    assert cli.cluster.writes == 0


def test_what_a_server_says_is_escaped(cli: CommandLine) -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07\nerror[E0001]: forged\u202e"
    examined(cli, Check(name=evil, health=Health.BAD, finding=evil, hint=evil))
    result = cli("doctor", "--color", "always")
    assert not {"\x07", "\u202e"} & set(result.out)
    assert "\x1b]" not in result.out
    assert "\nerror[E0001]" not in result.out


def test_colour_marks_the_state(cli: CommandLine) -> None:
    examined(cli, SOON, RIGHTS)
    lines = cli("doctor", "--context", "test", "--color", "always").out.splitlines()
    assert lines[2].startswith("\x1b[32mgood\x1b[0m     test  connection: ")
    assert lines[3].startswith("\x1b[33mwarning\x1b[0m  test  token: ")
    assert lines[5:] == [
        "\x1b[1;31mbad\x1b[0m      test  permissions: missing: list pods",
        "               \x1b[1mhelp\x1b[0m: ask for a Role",
    ]


def test_long_findings_are_folded_below_themselves_and_words_stay_whole() -> None:
    words = "missing in shop: list deployments, /apis/apps/v1/namespaces/shop/deployments"
    check = Check(name="permissions", health=Health.BAD, finding=words, hint="orchctl render rbac -n shop")
    assert check_lines("prod", check, longest=4, width=50, colour=False) == [
        "bad      prod  permissions: missing in shop: list",
        "               deployments,",
        "               /apis/apps/v1/namespaces/shop/deployments",
        "               help: orchctl render rbac -n shop",
    ]


def test_a_long_name_takes_no_more_than_a_quarter_of_the_screen() -> None:
    lines = check_lines("a" * 50, SOON, longest=50, width=80, colour=False)
    assert lines == [
        f"warning  {'a' * 50}  token: ends on",
        f"{' ' * 31}2026-12-01",
        f"{' ' * 31}help: renew it",
    ]
    [short, _] = check_lines("b", SOON, longest=50, width=80, colour=False)
    assert short == f"warning  b{' ' * 19}  token: ends on 2026-12-01"
