"""Everything the verbs print as a document is as its published schema says, with no field more.

``ORCHCTL_UPDATE=1`` writes specs/outputs anew.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import typing
from collections.abc import Callable, Iterator
from keyword import iskeyword
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchctl.cli.explain import EXIT_CODES
from orchctl.cli.output_schemas import KINDS, schema_of, schema_text
from orchctl.cli.output_schemas.words import errors
from orchctl.cli.render.documents import error_document
from orchctl.cli.verbs import VERBS
from orchctl.core.backend import Connection
from orchctl.core.capability import Feature, Support
from orchctl.core.context import Context
from orchctl.core.plan import Op, Policy
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import EventKind, FailureKind, InstanceState, OutcomeState, Phase
from orchctl.core.service import Protocol
from orchctl.errors import BackendBug, Interrupted, OrchctlError, UnsupportedFeature
from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import Fault, FaultKind
from tests.cli.harness import WEB, CommandLine, Result
from tests.cli.test_lock import _lock

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


def _deployed(cli: CommandLine) -> None:
    cli.deploy()


def _rolled_back(cli: CommandLine) -> None:
    cli.deploy()
    cli("scale", "web=3", "-q")
    cli.write("orch.yaml", BAD)
    assert cli("deploy", "-q").code == 8


def _changed(cli: CommandLine) -> None:
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


Prepare = Callable[[CommandLine], None]
SCENARIOS: dict[str, list[tuple[Prepare, str]]] = {
    "validate": [(_changed, "--all")],
    "render": [(_two, ""), (_two, "--resolved")],
    "plan": [(_changed, ""), (_two, "")],
    "deploy": [
        (_changed, ""),
        (_changed, "--dry-run"),
        (_deployed, ""),
        (_two, ""),
        (_two, "--dry-run"),
        (_two, "--no-wait"),
    ],
    "status": [(_crashing, ""), (_two_deployed, "")],
    "history": [(_rolled_back, "web")],
    "logs": [(_crashing, "web")],
    "why": [(_crashing, "web"), (_rolled_back, "web"), (_deployed, "web")],
    "scale": [(_deployed, "web=3"), (_two_deployed, "a=2 b=0 --yes"), (_deployed, "web=2")],
    "discover": [(_deployed, "web")],
    "rollback": [(_two_revisions, "web --yes")],
    "restart": [(_deployed, "web"), (_two_deployed, "a b")],
    "delete": [(_deployed, "web --yes"), (_two_deployed, "a b --yes")],
    "context ls": [(_deployed, "")],
    "context show": [(_deployed, "")],
    "lock show": [(_lock, "")],
    "backends": [(_deployed, "")],
}


def _forms() -> Iterator[tuple[str, str]]:
    """Every verb that prints documents, with each form it knows."""
    for name, verb in VERBS.items():
        module = importlib.import_module(f"orchctl.cli.{verb.module}")
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
    if (form, scenario[1]) != ("yaml", "--resolved")  # the specs themselves, with comments
]


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
    assert seen == set(KINDS)


class _BrokenBackend(FakeBackend):
    def connect(self, context: Context) -> Connection:
        raise RuntimeError("broken")


def _broken(cli: CommandLine) -> None:
    cli.deploy()
    cli.backends["fake"] = lambda: _BrokenBackend(cli.cluster)


def _faulty(kind: FaultKind) -> Prepare:
    def prepare(cli: CommandLine) -> None:
        cli.deploy()
        cli.cluster.set_fault(Fault(kind, at=0, times=1000))

    return prepare


def _written(spec: str) -> Prepare:
    def prepare(cli: CommandLine) -> None:
        cli.write("orch.yaml", spec)

    return prepare


def _foreign(cli: CommandLine) -> None:
    cli.deploy()
    cli.cluster.definitions["default", "web"].owned = False
    cli.write("orch.yaml", BAD)


def _locked(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)
    _lock(cli)


def _worse(cli: CommandLine) -> None:
    cli.deploy()
    cli.write("orch.yaml", BAD)


def _stale(cli: CommandLine) -> None:
    _changed(cli)
    assert cli("plan", "--out", "plan.json", "-q").code == 0
    cli.deploy(WEB.replace('"one"', '"three"'))


def _bad_configuration(cli: CommandLine) -> None:
    cli.write(".orchctl.toml", "contexts = 3\n")


def _interrupted(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB)

    def strike() -> None:
        if cli.cluster.definitions:
            cli.cluster.on_request = lambda: None
            os.kill(os.getpid(), signal.SIGINT)

    cli.cluster.on_request = strike


FAILURES: list[tuple[Prepare, str, int, str]] = [
    (_broken, "status", 1, "Error"),
    (_deployed, "deploy --nonsense", 2, "Error"),
    (_deployed, "deploy --context nowhere", 2, "Error"),
    (_deployed, "delete web", 2, "Error"),
    (_bad_configuration, "status", 2, "Error"),
    (_written("name: web\nnmae: x\nreplicas: [1]\nports: 3\n"), "validate", 2, "Error"),
    (_written(WEB.replace("port: 8080", "port: 8080, protocol: sctp")), "deploy", 2, "Error"),
    (_written(WEB.replace("port: 8080", "port: 8080, protocol: sctp")), "validate", 2, "ValidationList"),
    (_changed, "plan --exit-code", 3, "Plan"),
    (_written(WEB), "why web", 4, "Error"),
    (_foreign, "deploy", 5, "Error"),
    (_locked, "deploy --lock-timeout 1s", 5, "Error"),
    (_stale, "deploy --plan plan.json", 5, "Error"),
    (_written(WEB + "backends: {fake: {behaviour: never_ready}}\n"), "deploy --timeout 2s", 6, "Error"),
    (_written(BAD), "deploy", 7, "Outcome"),
    (_worse, "deploy", 8, "Outcome"),
    (_faulty(FaultKind.UNREACHABLE), "status", 9, "Error"),
    (_faulty(FaultKind.AUTH), "status", 10, "Error"),
    (_written(TWO + "  c: {image: x, needs: {a: '*'}, backends: {fake: {behaviour: crash}}}\n"), "deploy", 11, "OutcomeList"),
    (_interrupted, "deploy", 130, "Error"),
]  # fmt: skip


@pytest.mark.parametrize(("prepare", "words", "code", "kind"), FAILURES, ids=[f"{c}-{w}" for _, w, c, _ in FAILURES])
def test_every_failure_is_as_its_schema_says(
    cli: CommandLine, prepare: Prepare, words: str, code: int, kind: str
) -> None:
    prepare(cli)
    result = cli(*words.split(), "-o", "json")
    assert (result.code, kinds_of(result, "json")) == (code, [kind]), result.err
    assert json.loads(result.out).get("exit_code", code) == code


def test_the_failures_have_every_exit_code() -> None:
    assert {code for _, _, code, _ in FAILURES} == (set(EXIT_CODES) - {0}) | {130}


def test_failures_of_streams_end_with_one_document(cli: CommandLine) -> None:
    cli.write("orch.yaml", WEB + "backends: {fake: {behaviour: never_ready}}\n")
    result = cli("deploy", "--timeout", "2s", "-o", "jsonl")
    kinds = kinds_of(result, "jsonl")
    assert (result.code, kinds[-1], set(kinds[:-1])) == (6, "Error", {"Event"})


@pytest.mark.parametrize("kind", sorted(errors(), key=lambda k: k.code), ids=lambda k: k.__name__)
def test_the_document_of_every_error_is_as_its_schema_says(kind: type[OrchctlError]) -> None:
    special: dict[type[OrchctlError], Callable[[], OrchctlError]] = {
        BackendBug: lambda: BackendBug("fake", RuntimeError("x")),
        UnsupportedFeature: lambda: UnsupportedFeature("web", "fake", [("user", "no")]),
        Interrupted: lambda: Interrupted(signal.SIGTERM),
    }
    document = error_document(special.get(kind, lambda: kind("x"))())
    assert check(document) == "Error"
    assert document["name"] == kind.__name__


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
}


@pytest.mark.parametrize("kind", PROMISED)
def test_fields_that_scripts_rely_on_stay(kind: str) -> None:
    schema = published(kind)
    for level in (schema, schema_of(kind)):
        body = level["properties"]["items"]["items"] if kind.endswith("List") else level
        assert set(PROMISED[kind].split()) <= set(body["required"])


def test_a_field_of_tomorrow_is_allowed() -> None:
    document = error_document(OrchctlError("x")) | {"tomorrow": 1}
    jsonschema.Draft202012Validator(published("Error")).validate(document)
    with pytest.raises(jsonschema.ValidationError):
        check(document)
