from __future__ import annotations

from tests.cli.harness import CommandLine

TWO = 'services:\n  web: {image: x/w:1, needs: {db: "*"}}\n  db: {image: x/d:1}\n'


def test_nothing_is_left(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("delete", "web", "--yes")
    assert (result.code, result.out) == (0, "")
    assert result.err.endswith("web: deleted (T)\n")
    assert not cli.cluster.definitions
    assert not cli.cluster.entries


def test_without_a_terminal_it_needs_yes(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("delete", "web")
    assert result.code == 2
    assert result.err == (
        "fake at fake://memory, namespace default, context test\n"
        "error[E0103]: this needs a confirmation: Delete web (namespace default, context test)?\n"
        "help: confirm with --yes\n"
    )
    assert cli.cluster.definitions


def test_unknown_service_exits_4_without_a_question(cli: CommandLine) -> None:
    result = cli("delete", "web")
    assert result.code == 4
    assert result.err == (
        "fake at fake://memory, namespace default, context test\n"
        "error[E0400]: there is no service 'web' in namespace 'default'\n"
        "help: see what there is: orchctl status\n"
    )


def test_services_of_a_file_go_in_reverse_order_of_needs(cli: CommandLine) -> None:
    cli.deploy(TWO)
    assert cli("delete", "-f", "orch.yaml", "--yes", "-o", "name").out == "web\ndb\n"


def test_interrupted_delete_of_a_file_is_finished_by_the_same_command(cli: CommandLine) -> None:
    cli.deploy(TWO)
    cli("delete", "web", "-q", "-y")
    assert cli("delete", "-f", "orch.yaml", "-y", "-q").code == 0
    assert not cli.cluster.entries


def test_history_can_be_kept(cli: CommandLine) -> None:
    cli.deploy()
    cli("delete", "web", "-y", "-q", "--keep-history")
    assert cli("history", "web").code == 0


def test_no_service_is_a_usage_error(cli: CommandLine) -> None:
    result = cli("delete", "--yes")
    assert (result.code, result.err) == (
        2,
        "error[E0100]: no service is named\nhelp: name the services, or their spec with -f FILE\n",
    )
