from __future__ import annotations

import io
import json
import sys

import pytest
import yaml

from orchctl.core.plan import NativeObject
from orchctl.testing.fake import FakeBackend
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


class _BackendWithRights(FakeBackend):
    def access(self, namespace: str) -> list[NativeObject]:
        return [NativeObject(kind=k, name="orchctl", body={"kind": k, "where": namespace}) for k in ("Role", "Binding")]


def _with_rights(cli: CommandLine) -> None:
    cli.backends["fake"] = lambda: _BackendWithRights(cli.cluster)


def test_rbac_is_what_an_administrator_applies(cli: CommandLine) -> None:
    _with_rights(cli)
    result = cli("render", "rbac", "-n", "shop")
    assert (result.code, result.err) == (0, "")
    assert result.out == "{kind: Role, where: shop}\n---\n{kind: Binding, where: shop}\n"
    assert cli.cluster.requests == 0


def test_rbac_takes_the_namespace_of_the_context(cli: CommandLine) -> None:
    _with_rights(cli)
    assert cli("render", "rbac", "--context", "prod").out == cli("render", "rbac", "-n", "shop").out


def test_rbac_as_a_document_belongs_to_no_service(cli: CommandLine) -> None:
    _with_rights(cli)
    document = json.loads(cli("render", "rbac", "-o", "json").out)
    assert (document["kind"], document["backend"]) == ("NativeObjectList", "fake")
    assert [(i["service"], i["kind"]) for i in document["items"]] == [("", "Role"), ("", "Binding")]


def test_rbac_of_a_backend_without_such_objects_is_a_usage_error(cli: CommandLine) -> None:
    result = cli("render", "rbac")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error[E0100]: fake has no objects that grant rights\n"
        "help: to render a service called rbac name its file: -f FILE\n"
    )


@pytest.mark.parametrize("words", ["rbac -f orch.yaml", "rbac web", "rbac --resolved -o json"])
def test_a_service_called_rbac_is_rendered_where_a_spec_is_meant(cli: CommandLine, words: str) -> None:
    _with_rights(cli)
    cli.write("orch.yaml", "services:\n  rbac: {image: x/a:1}\n  web: {image: x/b:1}\n")
    result = cli("render", *words.split())
    assert result.code == 0, result.err
    assert "x/a:1" in result.out
