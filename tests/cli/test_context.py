from __future__ import annotations

import json

from tests.cli.harness import CommandLine


def test_contexts_with_the_current_one_marked(cli: CommandLine) -> None:
    assert cli("context", "ls").out == (
        "   NAME   BACKEND  NAMESPACE  PROTECTED  FILE\n"
        "   local  local    default               built in\n"
        "   prod   fake     shop       yes        DIR/.orchctl.toml\n"
        "*  test   fake     default               DIR/.orchctl.toml\n"
    )
    assert cli("context", "ls", "-o", "name").out == "local\nprod\ntest\n"


def test_current_context_says_what_chose_it(cli: CommandLine) -> None:
    assert "chosen by: default in DIR/.orchctl.toml\n" in cli("context", "show").out
    cli.monkeypatch.setenv("ORCHCTL_CONTEXT", "prod")
    assert cli("context", "show").out == (
        "name: prod\nbackend: fake\nnamespace: shop\nprotected: yes\nfile: DIR/.orchctl.toml\nchosen by: ORCHCTL_CONTEXT\n"
    )


def test_document(cli: CommandLine) -> None:
    document = json.loads(cli("context", "show", "prod", "-o", "json").out)
    assert (document["kind"], document["name"], document["protected"]) == ("Context", "prod", True)
    assert document["current"] is False


def test_use_changes_one_line_of_the_users_file(cli: CommandLine) -> None:
    (cli.directory / ".orchctl.toml").unlink()
    user = cli.directory.parent / "home/config/orchctl/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('# mine\ndefault = "old"  # why\n\n[contexts.a]  # edge\nbackend = "fake"\n')
    result = cli("context", "use", "a")
    assert result.code == 0
    assert user.read_text() == '# mine\ndefault = "a"\n\n[contexts.a]  # edge\nbackend = "fake"\n'
    assert cli("context", "show", "-o", "name").out == "a\n"


def test_use_makes_the_users_file(cli: CommandLine) -> None:
    (cli.directory / ".orchctl.toml").unlink()
    assert cli("context", "use", "local").code == 0
    user = cli.directory.parent / "home/config/orchctl/config.toml"
    assert user.read_text() == 'default = "local"\n'


def test_use_says_when_the_project_decides_otherwise(cli: CommandLine) -> None:
    user = cli.directory.parent / "home/config/orchctl/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('[contexts.prod]\nbackend = "fake"\n')
    result = cli("context", "use", "prod")
    assert result.code == 0
    assert result.err.splitlines()[-1] == "here test is used all the same: default in DIR/.orchctl.toml"


def test_use_of_what_only_the_project_knows_is_refused(cli: CommandLine) -> None:
    """As the user's default it would make every command in every other directory fail."""
    result = cli("context", "use", "prod")
    assert result.code == 2
    assert "context 'prod' is known in DIR/.orchctl.toml only" in result.err
    assert 'help: set default = "prod" in DIR/.orchctl.toml' in result.err
    assert not (cli.directory.parent / "home/config/orchctl/config.toml").exists()


def test_use_of_an_unknown_context_writes_nothing(cli: CommandLine) -> None:
    result = cli("context", "use", "prd")
    assert (result.code, result.err) == (
        2,
        "error[E0102]: there is no context 'prd'\nhelp: known: local, prod, test\n",
    )
    assert not (cli.directory.parent / "home/config/orchctl/config.toml").exists()


def test_no_password_of_an_address_is_shown(cli: CommandLine) -> None:
    (cli.directory / ".orchctl.toml").write_text(
        '[contexts.a]\nbackend = "swarm"\nhost = "tcp://ci:s3cr3t@h:1"\nurls = ["http://ci:s3cr3t@m:1"]\n'
        'deep = {url = "http://ci:s3cr3t@m:1"}\n'
    )
    for words in (("show", "a"), ("show", "a", "-o", "json"), ("ls", "-o", "yaml")):
        result = cli("context", *words)
        assert result.code == 0
        assert "s3cr3t" not in result.out + result.err
