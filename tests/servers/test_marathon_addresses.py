"""Servers of tests that run side by side do not take each other's addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.servers.marathon.agents import Addresses

_OTHER = """
from tests.servers.marathon.agents import Addresses
addresses = Addresses()
print(*[addresses.take() for _ in range(600)], flush=True)
input()
"""


def test_no_two_servers_hand_out_the_same_address() -> None:
    ours = Addresses()
    command = [sys.executable, "-c", _OTHER]
    folder = Path(__file__).parent.parent.parent
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        theirs = set(other.stdout.readline().split())
        own = {ours.take() for _ in range(600)}
        other.communicate("\n", timeout=60)
    ours.close()
    assert len(theirs) == len(own) == 600
    assert not theirs & own
