from __future__ import annotations

from collections.abc import Mapping

from orchctl.core.capability import Claim, Feature, warned
from orchctl.testing.fake import FakeBackend
from tests.cli.harness import WEB, CommandLine

TWO = WEB.replace('"one"', '"two"')


def test_shows_the_plan_and_goes_back(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(TWO)
    result = cli("rollback", "web", "--yes")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith(
        "fake at fake://memory, namespace default, context test\n"
        "back to revision 1 of 2030-01-01T00:00:40Z by ME:\n"
        "web (namespace default, fake, context test)\n"
        "  ~ env.GREETING: two -> one  (restarts)\n"
        "  1 change; instances are replaced\n"
        "web: revision 3\n"
    )
    assert result.err.endswith("web: converged, revision 3, 2/2 ready (T)\n")
    assert cli.cluster.definitions["default", "web"].service.env["GREETING"] == "one"


def test_a_way_back_that_costs_more_says_so_in_its_plan(cli: CommandLine) -> None:
    """Marathon: every instance is replaced, those included that never stopped."""

    class Costly(FakeBackend):
        def capabilities(self) -> Mapping[Feature, Claim]:
            return {**super().capabilities(), Feature.ROLLOUT_UNDO: warned("going back replaces every instance")}

    cli.backends["fake"] = lambda: Costly(cli.cluster)
    cli.deploy()
    cli.deploy(TWO)
    assert "going back" not in cli("plan").err + cli("plan").out
    result = cli("rollback", "web", "--yes")
    assert result.code == 0
    assert "  going back replaces every instance\n  1 change; instances are replaced\n" in result.err
    assert "going back" not in cli("rollback", "web", "--to", "1", "--yes").err, "nothing is replaced"


def test_to_a_chosen_revision(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(TWO)
    cli.deploy(WEB.replace('"one"', '"three"'))
    assert cli("rollback", "web", "--to", "1", "-y").code == 0
    assert "rollback to 1" in cli("history", "web").out.splitlines()[1]


def test_without_a_terminal_it_needs_yes(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(TWO)
    writes = cli.cluster.writes
    result = cli("rollback", "web")
    assert result.code == 2
    assert result.err.endswith(
        "error[E0103]: this needs a confirmation: Go back to revision 1 of web?\nhelp: confirm with --yes\n"
    )
    assert cli.cluster.writes == writes


def test_unknown_revision_exits_4(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("rollback", "web", "--to", "9", "--yes")
    assert result.code == 4
    assert result.err.endswith("error[E0400]: there is no revision 9\nhelp: kept revisions: 1\n")


def test_nothing_to_go_back_to_exits_4(cli: CommandLine) -> None:
    cli.deploy()
    assert cli("rollback", "web", "--yes").code == 4


def test_scaled_count_is_kept(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(TWO)
    cli("scale", "web=5", "-q")
    assert cli("rollback", "web", "-q", "-y").code == 0
    assert cli.cluster.definitions["default", "web"].replicas == 5
