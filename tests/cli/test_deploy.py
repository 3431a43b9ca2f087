from __future__ import annotations

import json

from orchctl.testing.fake_cluster import Fault, FaultKind
from tests.cli.harness import WEB, CommandLine

BAD = WEB.replace('"one"', '"two"') + "backends: {fake: {behaviour: crash}}\n"
CHAIN = """\
services:
  db: {image: x/db:1, rollout: {min_ready: 0s}}
  api: {image: x/api:1, rollout: {min_ready: 0s}, needs: {db: "*"}, backends: {fake: {behaviour: crash}}}
  web: {image: x/web:1, rollout: {min_ready: 0s}, needs: {api: "*"}}
"""


def test_first_deploy_tells_where_and_what(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy")
    assert (result.code, result.out) == (0, "")
    assert result.err == (
        "fake at fake://memory, namespace default, context test\n"
        "web: revision 1\n"
        "web: apply revision 1\n"
        "web: apply revision 1: sent\n"
        "web: 0 of 2 ready\n"
        "web: web.1 starting\n"
        "web: web.2 starting\n"
        "web: web.1 ready\n"
        "web: web.2 ready\n"
        "web: revision 1 is deployed\n"
        "web: converged, revision 1, 2/2 ready (T)\n"
    )


def test_second_deploy_writes_nothing(cli: CommandLine) -> None:
    cli.deploy()
    writes = cli.cluster.writes
    result = cli("deploy")
    assert result.code == 0
    assert result.err == ("fake at fake://memory, namespace default, context test\nweb: unchanged, revision 1 (T)\n")
    assert cli.cluster.writes == writes


def test_a_deploy_tells_the_warnings_of_its_plan(cli: CommandLine) -> None:
    warning = "web: warning: user: the fake cluster runs nothing, so it runs it as nobody\n"
    cli.write("orch.yaml", WEB + "user: app\n")
    assert cli("deploy").err.count(warning) == 1
    assert cli("deploy").err.count(warning) == 1  # unchanged
    cli.write("orch.yaml", CHAIN.replace("behaviour: crash", "behaviour: good").replace("needs", "user: app, needs"))
    first, second = cli("deploy"), cli("deploy")
    for err in (first.err, second.err):
        assert err.count(warning) == 1, err
        assert err.count(warning.replace("web:", "api:", 1)) == 1, err


def test_failed_deploy_shows_cause_and_evidence_and_exits_8(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", BAD)
    result = cli("deploy")
    assert result.code == 8
    assert result.err.endswith(
        "web: rolled back, revision 3, 2/2 ready (T)\n"
        "  revision 2 failed; revision 1 runs again, as revision 3\n"
        "  crashed, i5 on fake: exited with code 7\n"
        "    | boom: cannot start\n"
        "  help: see the cause with: orchctl why web\n"
    )


def test_failure_without_a_good_revision_exits_7(cli: CommandLine) -> None:
    cli.write("orch.yaml", BAD)
    result = cli("deploy")
    assert result.code == 7
    assert "web: failed, revision 1, 0/2 ready (T)\n" in result.err


def test_timeout_exits_6_and_says_how_to_resume(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "backends: {fake: {behaviour: never_ready}}\n")
    result = cli("deploy", "--timeout", "2s")
    assert result.code == 6
    assert result.err.endswith(
        "error[E0600]: service 'web' is still in progress after --timeout: 0 of 2 ready\n"
        "help: it goes on without us; run the same command again to resume waiting\n"
    )


def test_no_wait_returns_at_once(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--no-wait")
    assert (result.code, result.err.splitlines()[-1]) == (0, "web: in progress, revision 1 (T)")


def test_quiet_success_says_nothing_at_all(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "-q")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_quiet_failure_still_tells_the_cause(cli: CommandLine) -> None:
    cli.write("orch.yaml", BAD)
    result = cli("deploy", "-q")
    assert result.code == 7
    assert result.err.startswith("web: failed, revision 1")
    assert "boom: cannot start" in result.err


def test_json_is_exactly_one_document(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", BAD)
    document = json.loads(cli("deploy", "-o", "json").out)
    assert document["kind"] == "Outcome"
    assert (document["service"], document["state"], document["revision"]) == ("web", "rolled_back", 3)
    assert (document["exit_code"], document["error_code"]) == (8, "E0800")
    [failure] = document["failures"]
    assert (failure["kind"], failure["exit_code"], failure["logs"]) == ("crashed", 7, ["boom: cannot start"])
    assert {"at_ms", "event", "service", "text"} == set(document["events"][0])


def test_jsonl_streams_events_and_ends_with_the_outcome(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    lines = [json.loads(line) for line in cli("deploy", "-o", "jsonl").out.splitlines()]
    assert {line["kind"] for line in lines[:-1]} == {"Event"}
    assert (lines[-1]["kind"], lines[-1]["state"]) == ("Outcome", "converged")
    assert any(line.get("replicas") == {"wanted": 2, "ready": 2, "updated": 2} for line in lines)


def test_dry_run_shows_the_plan_and_writes_nothing(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--dry-run")
    assert result.code == 0
    assert result.out == cli("plan").out
    assert cli.cluster.writes == 0


def test_failed_service_stops_those_that_need_it(cli: CommandLine) -> None:
    cli.write("orch.yaml", CHAIN)
    result = cli("deploy")
    assert result.code == 11
    summary = [line for line in result.err.splitlines() if line.endswith("(T)")]
    assert summary == [
        "db: converged, revision 1, 1/1 ready (T)",
        "api: failed, revision 1, 0/1 ready (T)",
        "web: not started (T)",
        "3 services: 1 converged, 1 failed, 1 not started (T)",
    ]


def test_several_outcomes_are_a_list(cli: CommandLine) -> None:
    cli.write("orch.yaml", CHAIN)
    document = json.loads(cli("deploy", "-o", "json").out)
    assert document["kind"] == "OutcomeList"
    assert [i["state"] for i in document["items"]] == ["converged", "failed", "not_started"]


def test_only_named_services_are_deployed(cli: CommandLine) -> None:
    cli.write("orch.yaml", CHAIN)
    assert cli("deploy", "db", "-o", "name").out == "db\n"
    assert list(cli.cluster.definitions) == [("default", "db")]


def test_unreachable_backend_exits_9(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    cli.cluster.set_fault(Fault(FaultKind.UNREACHABLE, at=0, times=1000))
    result = cli("deploy")
    assert (result.code, result.err) == (9, "error[E0900]: the fake cluster does not answer\n")


def test_foreign_object_is_left_alone(cli: CommandLine) -> None:
    cli.deploy()
    cli.cluster.definitions["default", "web"].owned = False
    cli.write("orch.yaml", BAD)
    result = cli("deploy")
    assert result.code == 5
    assert "error[E0505]: fake already has an object for 'web'" in result.err


def test_namespace_flag_wins_over_the_spec(cli: CommandLine) -> None:
    cli.write("orch.yaml", "namespace: shop\n" + WEB)
    cli("deploy", "-q")
    cli("deploy", "-q", "-n", "lab")
    assert sorted(cli.cluster.definitions) == [("lab", "web"), ("shop", "web")]


def test_services_of_several_namespaces_are_refused(cli: CommandLine) -> None:
    cli.write("a.yaml", "namespace: one\nname: a\nimage: x/a:1\n")
    cli.write("b.yaml", "namespace: two\nname: b\nimage: x/b:1\n")
    result = cli("deploy", "-f", "a.yaml", "-f", "b.yaml")
    assert result.code == 2
    assert "several namespaces: one, two" in result.err


def test_nonsense_duration_is_a_usage_error(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("deploy", "--timeout", "soon")
    assert (result.code, result.err) == (
        2,
        "error[E0100]: --timeout: 'soon' is not a duration; write for example 500ms, 30s, 5m or 1h30m\n",
    )


def test_reason_stands_in_the_history(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    cli("deploy", "--reason", "ticket 42")
    assert "ticket 42" in cli("history", "web").out


def test_older_build_is_refused_and_may_be_meant(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("deploy", "-q", "--source-seq", "42").code == 0
    cli.write("orch.yaml", WEB.replace('"one"', '"two"'))
    result = cli("deploy", "--source-seq", "41")
    assert result.code == 5
    assert result.err.endswith(
        "error[E0507]: service 'web': build 41 is older than build 42, deployed as revision 1\n"
        "help: let the newer build stand, or deploy this one on purpose: --allow-older\n"
    )
    assert cli("deploy", "-q", "--source-seq", "41", "--allow-older").code == 0


def test_saved_plan_of_an_older_build_is_refused(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("deploy", "-q", "--source-seq", "42").code == 0
    cli.write("orch.yaml", WEB.replace('"one"', '"two"'))
    assert cli("plan", "-q", "--out", "plan.json").code == 0
    assert cli("deploy", "--plan", "plan.json", "--source-seq", "41").code == 5


def test_build_number_is_a_number(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("deploy", "--source-seq", "soon").code == 2
    assert cli("deploy", "--source-seq=-1").code == 2
