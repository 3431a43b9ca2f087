"""What happens to a test whose server cannot run here."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

MUST_RUN = "ORCHCTL_TEST_MUST_RUN"
"""Names the worlds that this machine is known to run, separated by spaces: CI sets it, so that no world is lost quietly."""


def absent(world: str, reason: object) -> NoReturn:
    """Skip with the reason; a failure where the world must run."""
    if world in os.environ.get(MUST_RUN, "").split():
        pytest.fail(f"{world} must run here, and cannot: {reason}", pytrace=False)
    pytest.skip(f"no {world} here: {reason}")
