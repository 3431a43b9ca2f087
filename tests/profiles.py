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
    # Half a dozen updates and more.
    "test_rollback_three_back_after_scaling_in_between",
    "test_the_oldest_revisions_are_pruned",
    # What the engine makes of counts, plans and records, whatever the backend; each stands beside another one of its class
    # that sends the same writes.
    "test_a_saved_plan_that_still_holds_is_carried_out",
    "test_another_spec_supersedes_an_interrupted_rollout",
    "test_out_of_bounds_is_refused_and_nothing_changes",
    "test_revisions_are_numbered_without_gaps_and_one_is_deployed",
    "test_rollback_goes_to_the_one_before_as_a_new_revision",
    "test_rollback_keeps_the_scaled_count",
    "test_scaling_makes_no_revision",
    "test_targets[+1-3]",
    "test_targets[+50%-3]",
    "test_targets[-1-1]",
    "test_targets[50%-1]",
)
"""Tests of the kit that are shown on the cluster in memory in every gate, and on real servers in a soak. The kit is for
backends of others, too, and knows no profiles."""

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
