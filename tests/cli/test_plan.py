from __future__ import annotations

import json
import stat

import pytest

from tests.cli.harness import WEB, CommandLine

CHANGED = WEB.replace('"one"', '"two"').replace("replicas: 2", "replicas: 3")


def test_changes_of_a_running_service(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", CHANGED)
    result = cli("plan")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        "web (namespace default, fake, context test)\n"
        "  ~ env.GREETING: one -> two  (restarts)\n"
        "  ~ replicas: 2 -> 3\n"
        "  2 changes; instances are replaced\n"
    )


def test_unchanged_service(cli: CommandLine) -> None:
    cli.deploy()
    assert cli("plan").out == "web (namespace default, fake, context test)\n  nothing to change\n"


def test_new_service_lists_what_will_be(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("plan")
    assert "  + image: registry.example.com/web:1\n" in result.out
    assert result.out.endswith("  new service with 2 replicas\n")


def test_a_new_service_is_shown_as_written(cli: CommandLine) -> None:
    written = "files: {/etc/web.conf: {content: a}}\nhealth: {ready: {http: {path: /ok, port: http}, interval: 3s}}\n"
    cli.write("orch.yaml", WEB.replace("min_ready: 0s", "max_surge: 2").replace("60s", "5m") + written)
    shown = [line.split(":")[0] for line in cli("plan").out.splitlines() if line.startswith("  + ")]
    assert {"  + ports.http.port", "  + rollout.max_surge", "  + health.ready.interval", "  + env.GREETING"} <= {*shown}
    assert not {"  + rollout.deadline", "  + stop.signal", "  + restart", "  + ports.http.expose"} & {*shown}
    assert not {"  + health.ready.failures", "  + health.start.deadline", "  + files[/etc/web.conf].mode"} & {*shown}
    assert any(line.endswith(" more as by default (-v shows them)") for line in shown)


def test_verbose_shows_the_defaults_of_a_new_service_too(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    out = cli("plan", "-v").out
    assert "  + rollout.on_failure: rollback\n" in out
    assert "by default" not in out


def test_what_goes_back_to_a_default_is_shown(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", WEB.replace(", deadline: 60s", ""))
    assert "  ~ rollout.deadline: 1m -> 5m\n" in cli("plan").out


def test_the_lines_of_a_file_that_change_are_shown(cli: CommandLine) -> None:
    cli.write("web.conf", "a = 1\nb = 2\nc = 3\nd = 4\n")
    cli.deploy(WEB + "files: {/etc/web.conf: {source: web.conf}}\n")
    cli.write("web.conf", "a = 1\nb = \x1b[31m\nc = 3\nd = 4\n")
    lines = cli("plan").out.splitlines()
    at = next(i for i, line in enumerate(lines) if "files[/etc/web.conf].content: sha256:" in line)
    assert lines[at + 1 : at + 6] == [
        "      @@ -1,3 +1,3 @@",
        "       a = 1",
        "      -b = 2",
        r"      +b = \x1b[31m",
        "       c = 3",
    ]
    assert json.loads(cli("plan", "-o", "json").out)["changes"][0]["lines"][2] == "-b = 2"


def test_a_saved_plan_is_not_stale_for_want_of_lines(cli: CommandLine) -> None:
    cli.deploy(WEB + "files: {/a: {content: one}}\n")
    cli.write("orch.yaml", WEB + "files: {/a: {content: two}}\n")
    assert cli("plan", "--out", "saved").code == 0
    saved = json.loads((cli.directory / "saved").read_text())
    del saved["plans"][0]["changes"][0]["lines"]
    (cli.directory / "saved").write_text(json.dumps(saved))
    assert cli("deploy", "--plan", "saved").code == 0


def test_exit_code_says_whether_changes_are_pending(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("plan", "--exit-code").code == 3
    cli.deploy()
    assert cli("plan", "--exit-code").code == 0


def test_plan_writes_nothing(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    cli("plan")
    assert cli.cluster.writes == 0


def test_issues_and_notes_are_listed(cli: CommandLine) -> None:
    cli.deploy()
    assert cli("scale", "web=5").code == 0
    cli.write("orch.yaml", WEB + "user: app\n")
    lines = cli("plan").out.splitlines()
    assert "  + user: app  (restarts)" in lines
    assert "  warn    user: the fake cluster runs nothing, so it runs it as nobody" in lines
    assert any(line.startswith("  replicas 5 -> 2: scaled by hand, ") for line in lines)


def test_document_has_the_promised_fields(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", CHANGED)
    document = json.loads(cli("plan", "-o", "json").out)
    assert document["kind"] == "Plan"
    assert document["changes"][0] == {
        "path": "env.GREETING",
        "op": "update",
        "before": "one",
        "after": "two",
        "restarts": True,
        "lines": [],
    }
    assert (document["service"], document["backend"], document["context"]) == ("web", "fake", "test")
    assert (document["issues"], document["empty"]) == ([], False)


def test_several_services_are_a_list(cli: CommandLine) -> None:
    cli.write("orch.yaml", "services:\n  a: {image: x/a:1}\n  b: {image: x/b:1}\n")
    document = json.loads(cli("plan", "-o", "json").out)
    assert document["kind"] == "PlanList"
    assert [i["service"] for i in document["items"]] == ["a", "b"]


def test_names_of_services_that_would_change(cli: CommandLine) -> None:
    cli.write("orch.yaml", "services:\n  a: {image: x/a:1}\n  b: {image: x/b:1}\n")
    assert cli("plan", "-o", "name").out == "a\nb\n"


def test_colour_marks_the_kinds_of_change(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", CHANGED)
    assert "\x1b[33m~ replicas: 2 -> 3\x1b[0m\n" in cli("plan", "--color", "always").out
    cli.monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in cli("plan").out
    cli.monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in cli("plan").out


def test_saved_plan_is_private_and_deploys(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("plan", "--out", "web.plan")
    assert result.err == "saved to web.plan; deploy it with: orchctl deploy --plan web.plan\n"
    path = cli.directory / "web.plan"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["kind"] == "SavedPlan"
    result = cli("deploy", "--plan", "web.plan")
    assert result.code == 0
    assert result.err.endswith("web: converged, revision 1, 2/2 ready (T)\n")


def test_stale_plan_is_refused(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", CHANGED)
    cli("plan", "--out", "web.plan")
    assert cli("scale", "web=4").code == 0
    writes = cli.cluster.writes
    result = cli("deploy", "--plan", "web.plan")
    assert result.code == 5
    assert result.err.endswith(
        "error[E0502]: the saved plan for 'web' is stale: the service changed since the plan was made\n"
        "help: make a new plan with: orchctl plan --out FILE\n"
    )
    definition_writes = [entry for entry in cli.cluster.log[-10:] if entry in ("apply", "scale")]
    assert "apply" not in definition_writes
    assert cli.cluster.writes - writes <= 2  # the lease at most


def test_plan_for_another_context_is_refused(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    cli("plan", "--out", "web.plan")
    result = cli("deploy", "--plan", "web.plan", "--context", "prod", "--yes=prod")
    assert (result.code, result.err) == (
        2,
        (
            "error[E0100]: the plan was made for fake (context test), not for fake (context prod)\n"
            "help: without --context and --backend it goes where it was made for\n"
        ),
    )


@pytest.mark.parametrize(("place", "told"), [(("--backend", "fake"), "context fake"), ((), "context test")])
def test_a_saved_plan_carries_its_own_place(cli: CommandLine, place: tuple[str, ...], told: str) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("plan", *place, "--out", "my plan").err.endswith("orchctl deploy --plan 'my plan'\n")
    cli.monkeypatch.setenv("ORCHCTL_CONTEXT", "prod")
    result = cli("deploy", "--plan", "my plan")
    assert result.code == 0, result.err
    assert told in result.err.splitlines()[0]


def test_broken_plan_is_a_usage_error(cli: CommandLine) -> None:
    for text in ("no json", "[]", '{"kind": "SavedPlan", "plans": [{"service": 3}]}', '{"kind": "Pod"}'):
        cli.write("web.plan", text)
        result = cli("deploy", "--plan", "web.plan")
        assert result.code == 2
        assert result.err.startswith("error[E0100]: the plan web.plan ")


RICH = """\
name: web
image: registry.example.com/web:1
command: [serve, --fast]
args: ["--port", "$(PORT_HTTP)"]
ports: [{name: http, port: 8080}]
env: {TOKEN: {secret: "env:WEB_TOKEN"}, PLAIN: x}
files: {/etc/web.toml: {content: "a = 1"}}
volumes: {/data: {name: data, size: 1Gi}, /cache: {tmpfs: 64Mi}}
resources: {cpu: 250m, memory: 256Mi}
health: {ready: {http: {path: /, port: http}}}
rollout: {min_ready: 0s, deadline: 60s}
labels: {team: shop}
"""


def test_saved_plan_of_a_rich_service_is_not_stale(cli: CommandLine) -> None:
    cli.monkeypatch.setenv("WEB_TOKEN", "canary-4711")
    cli.write("orch.yaml", RICH)
    assert cli("plan", "--out", "web.plan", "-q").code == 0
    assert "canary" not in (cli.directory / "web.plan").read_text()
    result = cli("deploy", "--plan", "web.plan")
    assert result.code == 0, result.err
    assert cli("plan", "--exit-code").code == 0


def test_secret_values_are_in_no_output(cli: CommandLine) -> None:
    cli.monkeypatch.setenv("WEB_TOKEN", "canary-4711")
    cli.write("orch.yaml", RICH)
    commands = ["plan", "plan -o json", "deploy -o json", "status -o json", "history web -o json", "render", "why web"]
    for command in [*commands, "render --resolved", "plan -v"]:
        result = cli(*command.split())
        assert result.code == 0, result.err
        assert "canary" not in result.out + result.err
