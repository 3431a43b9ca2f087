"""What the profile of ``tests/rounds.py`` changes in pytest and in hypothesis.

In the gate examples are the same in every run and have no time limit: one stall of 200 ms on a busy machine made a
test red, and a new random example blocked whoever came next. A soak draws new ones.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.rounds import EXAMPLES, PROFILE

_USUAL = 100
_LONGEST_S = 7200.0
_LEFT_OUT = (
    # 30 s of patience each, which the same kind of update shows in every world as well.
    "test_a_bad_first_deploy_fails_and_does_not_hang[unschedulable]",
    # A dozen updates each; the cluster in memory has it in every gate, and what a store does is a class of its own.
    "test_the_oldest_revisions_are_pruned",
)
"""Tests of the kit that real servers spend long on. The kit is for backends of others, too, and knows no profiles."""

# A busy machine draws slowly, too: that is no fault of a strategy.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=_USUAL * EXAMPLES)
settings.register_profile("gate", _PATIENT, derandomize=True, database=None)
settings.register_profile("soak", _PATIENT, print_blob=True)
settings.load_profile(PROFILE)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: means something in many rounds only; not in the gate (tests/rounds.py)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The gate leaves out what is for a soak; a soak gives every test time for its rounds."""
    if PROFILE == "soak":
        for item in items:
            item.add_marker(pytest.mark.timeout(_LONGEST_S))
        return
    left_out = [item for item in items if _is_long(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_long(item)]


def _is_long(item: pytest.Item) -> bool:
    is_real = any(mark.name.startswith("world_") for mark in item.iter_markers())
    return bool(item.get_closest_marker("soak")) or (is_real and item.name in _LEFT_OUT)
