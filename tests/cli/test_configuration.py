from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from orchctl.cli.configuration import load_configuration, state_dir, user_file
from orchctl.cli.options import Where
from orchctl.cli.place import find_context
from orchctl.errors import ConfigError, UnknownContext, UsageError
from tests.cli.harness import WEB, CommandLine


def _project(cli: CommandLine, text: str) -> None:
    cli.write(".orchctl.toml", text)


def _user(cli: CommandLine, text: str) -> None:
    user = cli.directory.parent / "home/config/orchctl/config.toml"
    user.parent.mkdir(parents=True, exist_ok=True)
    user.write_text(text)


def test_flag_wins_over_variable_over_project_over_user(cli: CommandLine) -> None:
    names = ("flag", "variable", "project", "user")
    tables = "".join(f'[contexts.{name}]\nbackend = "fake"\n' for name in names)
    _user(cli, f'default = "user"\n{tables}')
    _project(cli, f'default = "project"\n{tables}')
    cli.monkeypatch.setenv("ORCHCTL_CONTEXT", "variable")
    assert find_context(Where(context="flag")).name == "flag"
    assert find_context(Where()).name == "variable"
    cli.monkeypatch.delenv("ORCHCTL_CONTEXT")
    assert find_context(Where()).name == "project"
    _project(cli, tables)
    assert find_context(Where()).name == "user"
    _user(cli, tables)
    assert find_context(Where()).name == "local"


def test_project_file_is_found_upward_to_the_repository_and_not_further(cli: CommandLine) -> None:
    inner = cli.directory / "a/b"
    inner.mkdir(parents=True)
    cli.monkeypatch.chdir(inner)
    assert find_context(Where()).name == "test"
    (cli.directory / "a/.git").mkdir()
    assert find_context(Where()).name == "local"


def test_named_file_replaces_all_others(cli: CommandLine) -> None:
    cli.write("other.toml", 'default = "o"\n[contexts.o]\nbackend = "fake"\n')
    cli.monkeypatch.setenv("ORCHCTL_CONFIG", "other.toml")
    assert find_context(Where()).name == "o"
    with pytest.raises(UnknownContext):
        find_context(Where(context="test"))


def test_empty_variables_name_nothing(cli: CommandLine) -> None:
    for variable in ("ORCHCTL_CONFIG", "ORCHCTL_CONTEXT"):
        cli.monkeypatch.setenv(variable, "")
    assert find_context(Where()).name == "test"


def test_named_file_that_is_missing_is_an_error(cli: CommandLine) -> None:
    cli.monkeypatch.setenv("ORCHCTL_CONFIG", "none.toml")
    with pytest.raises(ConfigError, match="does not exist"):
        find_context(Where())


@pytest.mark.parametrize("value", [None, "", "  ", "/srv/x", " /srv/x ", "relative", "~/x"])
def test_directories_are_those_of_platformdirs(cli: CommandLine, value: str | None) -> None:
    cli.monkeypatch.delenv("ORCHCTL_STATE_DIR")
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        if value is None:
            cli.monkeypatch.delenv(variable, raising=False)
        else:
            cli.monkeypatch.setenv(variable, value)
    assert user_file() == platformdirs.user_config_path("orchctl") / "config.toml"
    assert state_dir(os.environ) == platformdirs.user_state_path("orchctl")


def test_unknown_context_is_an_error_with_a_suggestion(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--context", "prdo")
    assert (result.code, result.err) == (
        2,
        "error[E0102]: there is no context 'prdo' (--context)\nhelp: did you mean 'prod'? known: local, prod, test\n",
    )
    assert cli.cluster.requests == 0


def test_backend_flag_is_a_context_of_its_own(cli: CommandLine) -> None:
    context = find_context(Where(backend="fake"))
    assert (context.name, context.backend, context.namespace, dict(context.settings)) == ("fake", "fake", "default", {})
    with pytest.raises(UsageError):
        find_context(Where(backend="fake", context="prod"))


def test_context_has_settings_namespace_and_the_place_of_its_file(cli: CommandLine) -> None:
    _project(cli, '[contexts.edge]\nbackend = "swarm"\nhost = "tcp://192.0.2.5:2376"\ntls = {ca = "ca.pem"}\n')
    context = find_context(Where(context="edge"))
    assert context.settings == {"host": "tcp://192.0.2.5:2376", "tls": {"ca": "ca.pem"}}
    assert context.base_dir == cli.directory
    assert context.state_dir == cli.directory.parent / "state"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('defualt = "a"\n', 1, "unknown key 'defualt'"),
        ('\n[context.a]\nbackend = "local"\n', 2, "unknown key 'context'"),
        ('[contexts.a]\nbackend = "local"\nnamspace = "x"\n', 3, "unknown key 'namspace'"),
        ('[contexts.a]\nnamespace = "x"\n', 1, "context 'a' names no backend"),
        ('[contexts.a]\nbackend = "local"\nprotected = "yes"\n', 3, "protected must be true or false"),
        ("default = 3\n", 1, "default must be a text in quotes"),
        ('[contexts.a]\nbackend = "local\n', 2, "not valid TOML"),
        ("contexts = 1\n", 1, "contexts must be a table"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(cli: CommandLine, text: str, line: int, message: str) -> None:
    _project(cli, text)
    with pytest.raises(ConfigError) as caught:
        load_configuration(Path.cwd(), {})
    assert message in str(caught.value)
    assert (caught.value.file, caught.value.line) == (str(cli.directory / ".orchctl.toml"), line)


def test_error_page_of_a_configuration(cli: CommandLine) -> None:
    _project(cli, '[contexts.a]\nbackend = "local"\nnamspace = "x"\n')
    assert cli("status").err == (
        "error[E0101]: unknown key 'namspace'\n  --> DIR/.orchctl.toml:3\nhelp: did you mean 'namespace'?\n"
    )


def test_first_line_of_a_write_names_the_context(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--context", "prod", "--yes=prod")
    assert result.err.splitlines()[0] == "fake at fake://memory, namespace shop, context prod, protected"


@pytest.mark.parametrize("flags", [[], ["--yes"], ["--yes=test"], ["--confirm", "prod"]])
@pytest.mark.parametrize(
    "verb", [["deploy"], ["scale", "web=3"], ["restart", "web"], ["rollback", "web"], ["delete", "web"]]
)
def test_protected_context_wants_its_name_repeated(cli: CommandLine, verb: list[str], flags: list[str]) -> None:
    cli.write("orch.yaml", WEB)
    result = cli(*verb, "--context", "prod", *flags)
    assert result.code == 2
    assert result.err.startswith("error[E0103]: ")
    assert "--yes=prod" in result.err
    assert cli.cluster.writes == 0


def test_yes_for_another_context_stops_the_command(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--yes=prod")
    assert result.code == 2
    assert "--yes names context 'prod', and the command is for 'test'" in result.err


@pytest.mark.parametrize("namespace", ["../up", "Shop", "a/b", "-x", ""])
def test_namespace_that_is_no_name_is_refused(cli: CommandLine, namespace: str) -> None:
    cli.write("orch.yaml", WEB)
    code = cli("status", f"--namespace={namespace}").code
    assert code == (0 if not namespace else 2)
