"""What a command that fails prints with -o json, for every exit code and every error."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest

from orchctl.cli.explain import EXIT_CODES
from orchctl.cli.output_schemas.words import errors
from orchctl.cli.views.documents import error_document
from orchctl.core.backend import Connection
from orchctl.core.context import Context
from orchctl.errors import BackendBug, FieldConflict, Interrupted, OlderSource, OrchctlError, UnsupportedFeature
from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import Fault, FaultKind
from tests.cli.harness import WEB, CommandLine
from tests.cli.test_lock import _lock
from tests.cli.test_output_schemas import BAD, TWO, Prepare, changed, check, deployed, kinds_of


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
    changed(cli)
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
    (deployed, "deploy --nonsense", 2, "Error"),
    (deployed, "deploy --context nowhere", 2, "Error"),
    (deployed, "delete web", 2, "Error"),
    (_bad_configuration, "status", 2, "Error"),
    (_written("name: web\nnmae: x\nreplicas: [1]\nports: 3\n"), "validate", 2, "Error"),
    (_written(WEB.replace("port: 8080", "port: 8080, protocol: sctp")), "deploy", 2, "Error"),
    (_written(WEB.replace("port: 8080", "port: 8080, protocol: sctp")), "validate", 2, "ValidationList"),
    (changed, "plan --exit-code", 3, "Plan"),
    (_written(WEB), "why web", 4, "Error"),
    (_foreign, "deploy", 5, "Error"),
    (_locked, "deploy --lock-timeout 1s", 5, "Error"),
    (_stale, "deploy --plan plan.json", 5, "Error"),
    (_written(WEB + "backends: {fake: {behaviour: never_ready}}\n"), "deploy --timeout 2s", 6, "Error"),
    (_written(BAD), "deploy", 7, "Outcome"),
    (_worse, "deploy", 8, "Outcome"),
    (_faulty(FaultKind.UNREACHABLE), "status", 9, "Error"),
    (_faulty(FaultKind.UNREACHABLE), "doctor", 9, "DoctorReport"),
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
        OlderSource: lambda: OlderSource("web", 3, 4, revision=2),
        FieldConflict: lambda: FieldConflict("Deployment", "web", [("kubectl", "spec.replicas")]),
        Interrupted: lambda: Interrupted(signal.SIGTERM),
    }
    document = error_document(special.get(kind, lambda: kind("x"))())
    assert check(document) == "Error"
    assert document["name"] == kind.__name__
