from __future__ import annotations

import json

import pytest

from orchctl.testing.fake_cluster import Fault, FaultKind
from tests.cli.harness import WEB, CommandLine


def test_absolute_count(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("scale", "web=4")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("fake at fake://memory, namespace default, context test\n")
    assert result.err.endswith("web: converged, revision 1, 2 -> 4 replicas, 4/4 ready (T)\n")


@pytest.mark.parametrize(("target", "count"), [("+2", 4), ("-1", 1), ("50%", 1), ("+50%", 3)])
def test_relative_counts(cli: CommandLine, target: str, count: int) -> None:
    cli.deploy()
    assert cli("scale", f"web={target}").code == 0
    assert cli.cluster.definitions["default", "web"].replicas == count


def test_several_services(cli: CommandLine) -> None:
    cli.deploy("services:\n  a: {image: x/a:1}\n  b: {image: x/b:1}\n")
    document = json.loads(cli("scale", "a=2", "b=3", "-o", "json").out)
    assert document["kind"] == "OutcomeList"
    assert [(i["service"], i["details"]["replicas"]) for i in document["items"]] == [("a", 2), ("b", 3)]


def test_one_unknown_of_several_is_partial(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("scale", "web=3", "api=2")
    assert result.code == 11
    assert "there is no service 'api' in namespace 'default'" in result.err


@pytest.mark.parametrize("target", ["web=0", "web=-5", "web=0%"])
def test_stopping_everything_needs_a_confirmation(cli: CommandLine, target: str) -> None:
    cli.deploy()
    result = cli("scale", target)
    assert result.code == 2
    assert result.err.endswith(
        "error[E0103]: this needs a confirmation: Stop every instance of web?\nhelp: confirm with --yes\n"
    )
    assert cli.cluster.definitions["default", "web"].replicas == 2


def test_stopping_everything_with_yes(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("scale", "web=0", "--yes")
    assert result.code == 0
    assert result.err.endswith("web: converged, revision 1, 2 -> 0 replicas (T)\n")


@pytest.mark.parametrize("argument", ["web", "=3", "web=", "web=x", "web=1.5", "web=2=3", "Web=2", "../web=2"])
def test_nonsense_is_a_usage_error(cli: CommandLine, argument: str) -> None:
    cli.deploy()
    assert cli("scale", argument).code == 2


def test_a_service_named_twice_is_a_usage_error(cli: CommandLine) -> None:
    assert cli("scale", "web=1", "web=2").err == "error[E0100]: service 'web' is named twice\n"


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_it_goes_by_what_runs_and_not_by_a_revision_that_never_arrived(cli: CommandLine, verb: str) -> None:
    bounded = WEB.replace("replicas: 2", "scale: {min: 1, max: 4}")
    cli.deploy(bounded)
    cli.write("orch.yaml", bounded.replace("max: 4", "max: 9").replace('"one"', '"two"'))
    cli.cluster.set_fault(Fault(FaultKind.UNREACHABLE, at=0, times=1000, only="apply"))
    assert cli("deploy").code == 9
    cli.cluster.set_fault(None)
    assert json.loads(cli("history", "web", "-o", "json").out)["items"][0]["number"] == 2
    if verb == "scale":
        refused = cli("scale", "web=8")
        assert (refused.code, "outside its bounds 1..4" in refused.err) == (2, True), refused.err
        assert "revision 1" in cli("scale", "web=3").err
    else:
        assert "converged, revision 1" in cli("restart", "web").err
