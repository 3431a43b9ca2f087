from __future__ import annotations

import json

import yaml

from tests.cli.harness import WEB, CommandLine


def test_table_of_what_runs(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("status")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        "NAME  PHASE    READY  REVISION  IMAGE                       MESSAGE\n"
        "web   healthy  2/2    1         registry.example.com/web:1\n"
    )


def test_wide_shows_the_instances(cli: CommandLine) -> None:
    cli.deploy()
    assert cli("status", "-o", "wide").out.endswith(
        "\n\n"
        "SERVICE  INSTANCE  NODE  STATE  ID\n"
        "web      1         fake  ready  i1\n"
        "web      2         fake  ready  i2\n"
    )


def test_document_has_the_promised_fields(cli: CommandLine) -> None:
    cli.deploy()
    document = json.loads(cli("status", "-o", "json").out)
    assert (document["apiVersion"], document["kind"]) == ("orchctl.dev/v1", "ServiceStatusList")
    [item] = document["items"]
    del item["instances"]
    assert item == {
        "name": "web",
        "backend": "fake",
        "context": "test",
        "namespace": "default",
        "phase": "healthy",
        "replicas": {"wanted": 2, "ready": 2, "updated": 2},
        "revision": 1,
        "image": "registry.example.com/web:1",
        "message": "",
    }


def test_yaml_says_the_same(cli: CommandLine) -> None:
    cli.deploy()
    assert yaml.safe_load(cli("status", "-o", "yaml").out) == json.loads(cli("status", "-o", "json").out)


def test_empty_namespace_is_no_failure(cli: CommandLine) -> None:
    result = cli("status", "-n", "lab")
    assert (result.code, result.out, result.err) == (0, "", "no services in namespace lab of context test\n")


def test_unknown_service_exits_4(cli: CommandLine) -> None:
    result = cli("status", "web")
    assert (result.code, result.err) == (
        4,
        "error[E0400]: there is no service 'web' in namespace 'default'\nhelp: see what there is: orchctl status\n",
    )


def test_unfinished_rollout_names_the_way_on(cli: CommandLine) -> None:
    cli.deploy()
    never = WEB.replace('"one"', '"two"') + "backends: {fake: {behaviour: never_ready}}\n"
    cli.write("orch.yaml", never)
    assert cli("deploy", "--timeout", "1s").code == 6
    out = cli("status").out
    assert "web   progressing  2/2 (0 new)  2" in out
    assert "finish it by running the same deploy again" in out


def test_services_of_a_file_only(cli: CommandLine) -> None:
    cli.write("both.yaml", "services:\n  a: {image: x/a:1}\n  b: {image: x/b:1}\n")
    cli("deploy", "-q", "-f", "both.yaml")
    cli.write("a.yaml", "name: a\nimage: x/a:1\n")
    assert cli("status", "-f", "a.yaml", "-o", "name").out == "a\n"
    assert cli("status", "-o", "name").out == "a\nb\n"


def test_one_look_serves_any_number_of_services(cli: CommandLine) -> None:
    services = "".join(f"  s{n}: {{image: x/s:1, rollout: {{min_ready: 0s}}}}\n" for n in range(12))
    cli.write("orch.yaml", f"services:\n{services}")
    assert cli("deploy", "-q").code == 0
    before = cli.cluster.requests
    assert len(cli("status", "-o", "name").out.splitlines()) == 12
    assert cli.cluster.requests - before <= 4
