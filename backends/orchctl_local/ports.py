"""Free port numbers for processes that share their host."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

from orchctl.core.service import Protocol

# Below the ranges from which Linux (32768 up) and macOS (49152 up) take the near end of outgoing connections.
FIRST, LAST = 20_000, 32_000
_TRIES = 2_000


def is_free(number: int, protocol: Protocol) -> bool:
    """Can a process listen on this port of this machine now?"""
    kind = socket.SOCK_DGRAM if protocol is Protocol.UDP else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if protocol is not Protocol.UDP:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", number))
        except OSError:
            return False
    return True


def free_port(protocol: Protocol, taken: Collection[int]) -> int:
    """A free port that is not in ``taken``; 0 when none was found."""
    for _ in range(_TRIES):
        number = random.randint(FIRST, LAST)
        if number not in taken and is_free(number, protocol):
            return number
    return 0
