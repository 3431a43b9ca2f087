"""Everything the verbs print as a document is as its published schema says, with no field more.

``ORCHCTL_UPDATE=1`` writes specs/outputs anew.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import threading
import typing
from collections.abc import Callable, Iterator
from keyword import iskeyword
from pathlib import Path
from typing import Any

import dns.message
import dns.rdatatype
import dns.rrset
import jsonschema
import pytest
import yaml

from orchctl.cli.explain import EXIT_CODES
from orchctl.cli.output_schemas import KINDS, schema_of, schema_text
from orchctl.cli.verbs import VERBS
from orchctl.cli.views.documents import error_document
from orchctl.core.capability import Feature, Support
from orchctl.core.check import Health
from orchctl.core.plan import Op, Policy
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import EventKind, FailureKind, InstanceState, OutcomeState, Phase
from orchctl.core.service import Protocol
from orchctl.errors import OrchctlError
from tests.cli.harness import WEB, CommandLine, Result
from tests.cli.test_lock import _lock
from tests.servers.consul.fake import FakeConsul
from tests.servers.consul.front import Front

OUTPUTS = Path(__file__).parents[2] / "specs" / "outputs"
CRASH = "backends: {fake: {behaviour: crash}}\n"
BAD = WEB.replace('"one"', '"two"') + CRASH
TWO = "services:\n  a: {image: x/a:1, rollout: {min_ready: 0s}}\n  b: {image: x/b:1, rollout: {min_ready: 0s}}\n"


def published(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OUTPUTS / f"{kind}.schema.json").read_text())
    return found


def closed(schema: Any) -> Any:
    """The schema without room for fields that it does not know."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return inner | ({"additionalProperties": False} if isinstance(schema.get("properties"), dict) else {})


def check(document: dict[str, Any]) -> str:
    """Validate one document; returns its kind."""
    kind = document["kind"]
    jsonschema.Draft202012Validator(closed(published(kind))).validate(document)
    return str(kind)


def kinds_of(result: Result, form: str) -> list[str]:
    """Kinds of the documents on stdout, each one validated."""
    if form == "jsonl":
        return [check(json.loads(line)) for line in result.out.splitlines()]
    return [check(json.loads(result.out) if form == "json" else yaml.safe_load(result.out))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_is_fresh_and_valid(kind: str) -> None:
    path = OUTPUTS / f"{kind}.schema.json"
    if os.environ.get("ORCHCTL_UPDATE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(schema_text(kind))
    assert path.read_text() == schema_text(kind), "stale: run the tests with ORCHCTL_UPDATE=1"
    jsonschema.Draft202012Validator.check_schema(published(kind))


def test_nothing_else_is_published() -> None:
    assert sorted(path.name for path in OUTPUTS.iterdir()) == [f"{kind}.schema.json" for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_schema_of_a_kind_is_printed(cli: CommandLine, kind: str) -> None:
    assert cli("schema", kind).out == schema_text(kind)
    assert cli("schema", kind.lower()).out == schema_text(kind)


def test_unknown_kind_is_an_error_with_a_suggestion(cli: CommandLine) -> None:
    result = cli("schema", "outcom")
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("error[E0400]: there is no kind 'outcom'\nhelp: did you mean 'Outcome'? known: ")


def deployed(cli: CommandLine) -> None:
    cli.deploy()


def _rolled_back(cli: CommandLine) -> None:
    cli.deploy()
    cli("scale", "web=3", "-q")
    cli.write("orch.yaml", BAD)
    assert cli("deploy", "-q").code == 8


def changed(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", WEB.replace('"one"', '"two"') + "user: app\n")


def _crashing(cli: CommandLine) -> None:
    cli.write("orch.yaml", BAD)
    assert cli("deploy", "-q").code == 7


def _two_revisions(cli: CommandLine) -> None:
    cli.deploy()
    cli.deploy(WEB.replace('"one"', '"two"'))


def _two(cli: CommandLine) -> None:
    cli.write("orch.yaml", TWO)


def _two_deployed(cli: CommandLine) -> None:
    cli.deploy(TWO)


def _listed(cli: CommandLine) -> None:
    """In the catalog of a Consul that is there for as long as the test."""
    front, dns_port = _CONSUL
    cli.write(
        ".orchctl.toml",
        'default = "test"\n[contexts.test]\nbackend = "fake"\ncatalog = "main"\nregister = true\nregister_address = "instance"\n'
        f'[catalogs.main]\nconsul = "{front.url}"\ndns = "127.0.0.1:{dns_port}"\n',
    )
    cli.deploy()


def _two_deployed_and_listed(cli: CommandLine) -> None:
    _listed(cli)
    cli.deploy(TWO)


def _dead(cli: CommandLine) -> None:
    _listed(cli)
    cli.cluster.definitions.clear()


def _dns() -> int:
    """A server that knows one address for every name; its port."""
    server = socket.socket(type=socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            question, client = server.recvfrom(4096)
            reply = dns.message.make_response(dns.message.from_wire(question))
            asked = reply.question[0]
            if asked.rdtype == dns.rdatatype.A:
                reply.answer.append(dns.rrset.from_text(asked.name, 0, "IN", "A", "10.0.0.1"))
            server.sendto(reply.to_wire(), client)

    threading.Thread(target=answer, daemon=True).start()
    return int(server.getsockname()[1])


_CONSUL = (Front(FakeConsul().respond), _dns())

Prepare = Callable[[CommandLine], None]
SCENARIOS: dict[str, list[tuple[Prepare, str]]] = {
    "validate": [(changed, "--all")],
    "render": [(_two, ""), (_two, "--resolved"), (_listed, "consul-policy")],
    "plan": [(changed, ""), (_two, "")],
    "deploy": [
        (changed, ""),
        (changed, "--dry-run"),
        (deployed, ""),
        (_two, ""),
        (_two, "--dry-run"),
        (_two, "--no-wait"),
    ],
    "status": [(_crashing, ""), (_two_deployed, "")],
    "history": [(_rolled_back, "web")],
    "logs": [(_crashing, "web")],
    "why": [(_crashing, "web"), (_rolled_back, "web"), (deployed, "web")],
    "scale": [(deployed, "web=3"), (_two_deployed, "a=2 b=0 --yes"), (deployed, "web=2")],
    "discover": [(deployed, "web"), (_listed, "web --from catalog"), (_listed, "web --from all")],
    "sync": [(_listed, ""), (_two_deployed_and_listed, "")],
    "consul ls": [(_listed, "")],
    "consul gc": [(_dead, "--dry-run")],
    "rollback": [(_two_revisions, "web --yes")],
    "restart": [(deployed, "web"), (_two_deployed, "a b")],
    "delete": [(deployed, "web --yes"), (_two_deployed, "a b --yes")],
    "context ls": [(deployed, "")],
    "context show": [(deployed, "")],
    "config": [(deployed, ""), (deployed, "--context prod -n lab")],
    "lock show": [(_lock, "")],
    "backends": [(deployed, "")],
    "doctor": [(deployed, ""), (deployed, "--context prod")],
}


def _forms() -> Iterator[tuple[str, str]]:
    """Every verb that prints documents, with each form it knows."""
    for name, verb in VERBS.items():
        module = importlib.import_module(f"orchctl.cli.{verb.name}")
        for function in verb.functions:
            hints = typing.get_type_hints(getattr(module, f"{function}_" if iskeyword(function) else function))
            if "output" in hints:
                words = f"{name} {function}" if verb.is_group else name
                yield from ((words, f) for f in typing.get_args(hints["output"]) if f in ("json", "jsonl", "yaml"))


FORMS = sorted(_forms())
RUNS = [
    (words, form, *scenario)
    for words, form in FORMS
    for scenario in SCENARIOS.get(words, [])
    if (form, scenario[1]) not in (("yaml", "--resolved"), ("yaml", "consul-policy"))  # no documents: texts
]
RUNS += [("discover", form, _listed, "web --dns") for form in ("json", "yaml")]


def test_every_verb_with_documents_has_a_scenario() -> None:
    assert {words for words, _ in FORMS} == set(SCENARIOS)


@pytest.mark.parametrize(("words", "form", "prepare", "more"), RUNS)
def test_every_document_is_as_its_schema_says(
    cli: CommandLine, words: str, form: str, prepare: Prepare, more: str
) -> None:
    prepare(cli)
    result = cli(*words.split(), *more.split(), "-o", form)
    assert "Error" not in kinds_of(result, form), result.err


def test_the_scenarios_print_every_kind(cli: CommandLine) -> None:
    seen = {"Error"}
    for words, form, prepare, more in RUNS:
        for kept in (cli.cluster.definitions, cli.cluster.replicas, cli.cluster.entries):
            kept.clear()
        prepare(cli)
        seen |= set(kinds_of(cli(*words.split(), *more.split(), "-o", form), form))
    assert seen == set(KINDS) - {"Message"}  # which is for stderr: test_progress_json


@pytest.mark.parametrize(
    ("kind", "path", "enumeration"),
    [
        ("EndpointList", "items protocol", Protocol),
        ("ServiceStatusList", "items phase", Phase),
        ("ServiceStatusList", "items instances state", InstanceState),
        ("RevisionList", "items status", RevisionStatus),
        ("Plan", "changes op", Op),
        ("Plan", "issues policy", Policy),
        ("Outcome", "state", OutcomeState),
        ("Outcome", "failures kind", FailureKind),
        ("Event", "event", EventKind),
        ("BackendList", "items features image support", Support),
        ("DoctorReport", "items checks health", Health),
    ],
)
def test_enumerations_are_those_of_the_code(kind: str, path: str, enumeration: Any) -> None:
    assert _at(kind, path)["enum"] == [member.value for member in enumeration]


def _at(kind: str, path: str) -> Any:
    found: Any = published(kind)
    for name in path.split():
        found = found["properties"][name]
        found = found.get("items", found)
    return found


def test_exit_codes_are_those_of_the_code() -> None:
    failures = set(EXIT_CODES) - {0, 3}
    for kind, codes in (("Error", failures), ("Outcome", failures | {0})):
        named, signals = _at(kind, "exit_code")["anyOf"]
        assert set(named["enum"]) == codes
        assert (signals["minimum"], signals["maximum"]) == (129, 192)


def test_every_feature_has_its_place() -> None:
    assert list(_at("BackendList", "items features")["properties"]) == [feature.value for feature in Feature]


PROMISED = {
    "EndpointList": "service instance node host port_name port protocol ready revision weight backend context",
    "ServiceStatusList": "name backend context namespace phase replicas revision image message",
    "RevisionList": "number status created_at created_by image replicas rollback_of reason spec_hash",
    "Plan": "service backend context changes issues empty",
    "Outcome": "service state revision exit_code duration_ms failures events",
    "Error": "code name message hint file line column exit_code",
    "DoctorReport": "context backend checks",
}


@pytest.mark.parametrize("kind", PROMISED)
def test_fields_that_scripts_rely_on_stay(kind: str) -> None:
    schema = published(kind)
    for level in (schema, schema_of(kind)):
        body = level["properties"].get("items", {}).get("items", level)
        assert set(PROMISED[kind].split()) <= set(body["required"])


def test_a_field_of_tomorrow_is_allowed() -> None:
    document = error_document(OrchctlError("x")) | {"tomorrow": 1}
    jsonschema.Draft202012Validator(published("Error")).validate(document)
    with pytest.raises(jsonschema.ValidationError):
        check(document)
