"""--create-namespace and --force-conflicts: which verbs take them, and that the backend hears of them."""

from __future__ import annotations

import pytest

from orchctl.core.backend import Connection
from orchctl.core.context import Allow, Context
from orchctl.testing.fake import FakeBackend
from tests.cli.harness import WEB, CommandLine

BOTH = frozenset({Allow.CREATE_NAMESPACE, Allow.FORCE_CONFLICTS})
FORCE = frozenset({Allow.FORCE_CONFLICTS})


class _ListeningBackend(FakeBackend):
    heard: list[frozenset[Allow]]

    def connect(self, context: Context) -> Connection:
        self.heard.append(context.allow)
        return super().connect(context)


@pytest.fixture
def heard(cli: CommandLine) -> list[frozenset[Allow]]:
    """What each connection may do."""
    backend = _ListeningBackend(cli.cluster)
    backend.heard = []
    cli.backends["fake"] = lambda: backend
    return backend.heard


def _prepare(cli: CommandLine, heard: list[frozenset[Allow]]) -> None:
    cli.deploy()
    cli.deploy(WEB.replace('"one"', '"two"'))
    assert set(heard) == {frozenset()}
    heard.clear()


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ("deploy --create-namespace --force-conflicts", BOTH),
        ("deploy --create-namespace", frozenset({Allow.CREATE_NAMESPACE})),
        ("deploy --dry-run --force-conflicts", FORCE),
        ("rollback web --yes --create-namespace --force-conflicts", BOTH),
        ("scale web=3 --force-conflicts", FORCE),
        ("restart web --force-conflicts", FORCE),
    ],
)
def test_the_backend_hears_what_the_user_allows(
    cli: CommandLine, heard: list[frozenset[Allow]], words: str, allowed: frozenset[Allow]
) -> None:
    _prepare(cli, heard)
    result = cli(*words.split())
    assert result.code == 0, result.err
    assert set(heard) == {allowed}


def test_a_saved_plan_takes_them_too(cli: CommandLine, heard: list[frozenset[Allow]]) -> None:
    cli.write("orch.yaml", WEB)
    assert cli("plan", "--out", "plan.json", "-q").code == 0
    heard.clear()
    result = cli("deploy", "--plan", "plan.json", "--create-namespace", "--force-conflicts")
    assert result.code == 0, result.err
    assert set(heard) == {BOTH}


@pytest.mark.parametrize("verb", ["scale web=1", "restart web", "delete web", "plan", "status"])
def test_only_verbs_that_bring_services_make_namespaces(cli: CommandLine, verb: str) -> None:
    assert "no such option: --create-namespace" in cli(*verb.split(), "--create-namespace").err


@pytest.mark.parametrize("verb", ["delete web", "plan", "status", "lock break web"])
def test_only_verbs_that_apply_take_fields_over(cli: CommandLine, verb: str) -> None:
    assert "no such option: --force-conflicts" in cli(*verb.split(), "--force-conflicts").err
