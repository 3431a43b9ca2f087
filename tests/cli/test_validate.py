from __future__ import annotations

import json

from tests.cli.harness import WEB, CommandLine


def test_valid_spec(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("validate")
    assert (result.code, result.out, result.err) == (0, "web: valid for fake\n", "")


def test_all_problems_are_shown_with_place_and_remedy(cli: CommandLine) -> None:
    cli.write("orch.yaml", "name: web\nimage: a/web:1\nreplicaz: 3\nports: [{name: http, port: 70000}]\n")
    result = cli("validate")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error[E0220]: there is no field 'replicaz'\n"
        "  --> orch.yaml:3:1\n"
        "  3 | replicaz: 3\n"
        "    | ^\n"
        "help: did you mean 'replicas'?\n"
        "\n"
        "error[E0223]: ports[0].port: 70000 is too large; the most is 65535\n"
        "  --> orch.yaml:4:28\n"
        "  4 | ports: [{name: http, port: 70000}]\n"
        "    |                            ^\n"
        "\n"
        "2 problems\n"
    )


def test_what_a_backend_refuses_is_listed_whole(cli: CommandLine) -> None:
    health = "health: {ready: {grpc: {port: http}}}\nuser: app\n"
    cli.write("orch.yaml", WEB + health)
    result = cli("validate")
    assert result.code == 2
    assert result.out == (
        "web: refused by fake\n"
        "  warn    user: the fake cluster runs nothing, so it runs it as nobody\n"
        "  reject  health.ready.grpc: the fake cluster cannot ask gRPC servers yet\n"
    )


def test_services_that_need_each_other_are_refused_as_a_deploy_would(cli: CommandLine) -> None:
    services = 'services:\n  a: {image: x/a:1, needs: {b: "*"}}\n  b: {image: x/b:1, needs: {a: "*"}}\n'
    cli.write("orch.yaml", services)
    result = cli("validate")
    assert result.code == 2
    assert "the services need each other in a circle" in result.err
    assert cli("deploy").err.endswith(result.err)


def test_what_a_directory_does_not_stand_for_is_named(cli: CommandLine) -> None:
    (cli.directory / "specs").mkdir()
    cli.write("specs/api.yaml", WEB)
    result = cli("validate", "-f", "specs")
    assert result.code == 2
    assert "help: there is api.yaml: call it api.orch.yaml, or name the file itself with -f\n" in result.err
    cli.write("specs/web.orch.yaml", WEB)
    cli.write("specs/web.prod.orch.yaml", "name: web\n")
    for verb in ("validate", "plan", "deploy"):
        result = cli(verb, "-f", "specs")
        assert result.code == 0, result.err
        assert "passed over in specs: api.yaml (only orch.yaml and *.orch.yaml count)\n" in result.err


def test_strict_refuses_warnings_too(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "user: app\n")
    assert cli("validate").code == 0
    assert cli("validate", "--strict").code == 2


def test_document_names_service_backend_and_issues(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "user: app\n")
    document = json.loads(cli("validate", "-o", "json").out)
    assert document["kind"] == "ValidationList"
    [item] = document["items"]
    assert (item["service"], item["backend"], item["valid"]) == ("web", "fake", True)
    assert item["issues"][0]["policy"] == "warn"


def test_nothing_is_contacted(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    cli("validate")
    assert cli.cluster.requests == 0


def test_unknown_service_is_named_with_a_suggestion(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    result = cli("validate", "wep")
    assert (result.code, result.err) == (
        2,
        "error[E0100]: the spec has no service 'wep'\nhelp: did you mean 'web'? it has: web\n",
    )


def test_error_document_on_stdout_when_json_is_asked_for(cli: CommandLine) -> None:
    cli.write("orch.yaml", "name: web\nimage: a/web:1\nreplicaz: 3\n")
    for flags in (["-o", "json"], ["-ojson"], ["--output=json"]):
        document = json.loads(cli("validate", *flags).out)
        assert document == {
            "apiVersion": "orchctl.dev/v1",
            "kind": "Error",
            "code": "E0220",
            "name": "SpecError",
            "message": "there is no field 'replicaz'",
            "hint": "did you mean 'replicas'?",
            "file": "orch.yaml",
            "line": 3,
            "column": 1,
            "exit_code": 2,
        }
