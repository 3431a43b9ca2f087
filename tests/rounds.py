"""How often the tests do what means more the more often it is done: little in the gate, much in a soak.

``ORCHCTL_TEST_PROFILE=soak`` takes the second column of the table. Every number has a variable of its own beside that:
``ORCHCTL_TEST_RACES=7`` and so on. Tests which make no sense in a short form have the marker ``soak``.
"""

from __future__ import annotations

import os

PROFILES = ("gate", "soak")
PROFILE = os.environ.get("ORCHCTL_TEST_PROFILE") or "gate"
if PROFILE not in PROFILES:
    raise ValueError(f"ORCHCTL_TEST_PROFILE is one of {', '.join(PROFILES)}, not {PROFILE!r}")

_TABLE = {
    "RACES": (1, 50),
    "LOAD": (1, 20),
    "KILLS": (2, 12),
    "SEEDS": (60, 1_000),
    "EXAMPLES": (1, 10),
    "FULL": (0, 1),
    "DEPLOYS": (4, 20),
    "PATIENCE": (5, 30),
}


def _number(name: str) -> int:
    own = os.environ.get(f"ORCHCTL_TEST_{name}")
    return int(own) if own else _TABLE[name][PROFILES.index(PROFILE)]


RACES = _number("RACES")
"""Rounds in which deployers meet on a real backend."""
LOAD = _number("LOAD")
"""Updates that a client must not notice."""
KILLS = _number("KILLS")
"""Moments of one command at which it is killed."""
SEEDS = _number("SEEDS")
"""Orders in which deployers take turns on the cluster in memory."""
EXAMPLES = _number("EXAMPLES")
"""By how much the number of random examples of a test is multiplied."""
DEPLOYS = _number("DEPLOYS")
"""Deploys in a row that leave a count alone."""
PATIENCE = _number("PATIENCE")
"""Seconds for which an instance may be without a place before a real world takes that for a verdict."""
FULL = bool(_number("FULL"))
"""Whether a table of hostile texts is tried whole. In the gate each kind of text and each place is there, and half of the cases."""
