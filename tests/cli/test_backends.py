from __future__ import annotations

import json

from orchctl.core.capability import Feature
from tests.cli.harness import CommandLine


def test_matrix_has_every_feature_and_backend(cli: CommandLine) -> None:
    lines = cli("backends").out.splitlines()
    assert lines[0].split() == ["FEATURE", "FAKE", "KUBERNETES", "LOCAL", "MARATHON", "SWARM"]
    assert [line.split()[0] for line in lines[1:]] == [f.value for f in Feature]


def test_one_backend_with_reasons(cli: CommandLine) -> None:
    out = cli("backends", "fake").out
    assert "fake     ports.sctp" in out
    assert "unsupported  the fake cluster has no SCTP" in out


def test_document(cli: CommandLine) -> None:
    document = json.loads(cli("backends", "fake", "-o", "json").out)
    assert document["kind"] == "BackendList"
    assert document["items"][0]["features"]["ports.sctp"] == {
        "support": "unsupported",
        "reason": "the fake cluster has no SCTP",
    }


def test_unknown_backend_names_the_known_ones(cli: CommandLine) -> None:
    result = cli("backends", "nomad")
    assert result.code == 2
    assert result.err.startswith("error[E0301]: no backend is called 'nomad'\nhelp: available: ")


def test_wide_has_the_reasons_of_all(cli: CommandLine) -> None:
    out = cli("backends", "-o", "wide").out
    assert out.splitlines()[0].split() == ["BACKEND", "FEATURE", "SUPPORT", "REASON"]
    assert "the fake cluster has no SCTP" in out
    assert {line.split()[0] for line in out.splitlines()[1:]} >= {"fake", "local", "marathon", "swarm", "kubernetes"}
