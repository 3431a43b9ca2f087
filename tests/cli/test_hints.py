"""A hint is a command that works when it is pasted."""

from __future__ import annotations

import json

import pytest

from orchctl.cli.command import pasted
from tests.cli.harness import WEB, CommandLine

BAD = WEB + "backends: {fake: {behaviour: crash}}\n"


def test_the_place_of_this_command_is_that_of_the_one_offered(cli: CommandLine) -> None:
    result = cli("history", "absent", "--context", "test", "-n", "shop")
    assert result.code == 4
    assert "help: see what there is: orchctl status --context test -n shop\n" in result.err
    document = json.loads(cli("history", "absent", "--backend=fake", "-nshop", "-o", "json").out)
    assert document["hint"] == "see what there is: orchctl status --backend fake -n shop"


def test_what_a_failed_deploy_offers_works(cli: CommandLine) -> None:
    cli.write("orch.yaml", BAD)
    result = cli("deploy", "--backend", "fake", "-n", "shop")
    assert result.code == 7
    offered = result.err.splitlines()[-1].rpartition("orchctl ")[2].split()
    assert offered == ["why", "--backend", "fake", "-n", "shop", "web"]
    assert cli(*offered).code == 0


@pytest.mark.parametrize(
    ("arguments", "hint", "told"),
    [
        ((), "look: orchctl status", "look: orchctl status"),
        (("-f", "a b.yaml"), "look with: orchctl plan", "look with: orchctl plan -f 'a b.yaml'"),
        (("-f", "a.yaml"), "look: orchctl status", "look: orchctl status"),
        (("-n", "s"), "orchctl lock show web", "orchctl lock show -n s web"),
        (("--context", "c"), "write for example: orchctl scale web=5", "write for example: orchctl scale web=5"),
    ],
)
def test_words(arguments: tuple[str, ...], hint: str, told: str) -> None:
    assert pasted(hint, ["deploy", *arguments]) == told
