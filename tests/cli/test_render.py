from __future__ import annotations

import io
import json
import sys

import yaml

from tests.cli.harness import WEB, CommandLine


def test_native_objects_as_one_document(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    document = json.loads(cli("render", "-o", "json").out)
    assert document["apiVersion"] == "orchctl.dev/v1"
    assert (document["kind"], document["backend"]) == ("NativeObjectList", "fake")
    assert [(i["service"], i["kind"], i["name"]) for i in document["items"]] == [("web", "Definition", "default.web")]


def test_yaml_and_json_say_the_same(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert yaml.safe_load(cli("render").out) == json.loads(cli("render", "-o", "json").out)


def test_output_is_deterministic_and_offline(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("render").out == cli("render").out
    assert cli.cluster.requests == 0


def test_resolved_shows_where_values_come_from(cli: CommandLine) -> None:
    cli.write("web.yaml", "name: web\nimage: a/web:1\nreplicas: 2\n")
    result = cli("render", "--resolved", "-f", "web.yaml", "--set", "replicas=5")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[1].split() == ["name:", "web", "#", "web.yaml:1"]
    assert lines[3].startswith("replicas: 5")
    assert "web.yaml:3" not in lines[3]


def test_refused_feature_ends_with_all_refusals(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "health: {ready: {grpc: {port: http}}}\n")
    result = cli("render")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error[E0300]: fake cannot run service 'web' as written\n"
        "  health.ready.grpc: the fake cluster cannot ask gRPC servers yet\n"
    )


def test_resolved_reads_standard_input_once(cli: CommandLine) -> None:
    cli.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WEB.encode())))
    result = cli("render", "--resolved", "-f", "-")
    assert (result.code, result.err) == (0, "")
    assert "<stdin>:2" in result.out
